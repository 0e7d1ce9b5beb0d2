//! The programs that make an API server, or the word that there are none.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::skipped::skip;

/// `etcd` and `kube-apiserver`.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) etcd: PathBuf,
    pub(super) kube_apiserver: PathBuf,
}

impl Programs {
    pub(super) fn find() -> Result<Self, String> {
        Ok(Self {
            etcd: etcd()?,
            kube_apiserver: kube_apiserver()?,
        })
    }

    /// Without them it says so, past the test harness that keeps what a good test prints; or it
    /// fails, where `STEPDOWN_KUBE=required`.
    pub(super) fn find_or_skip() -> Option<Self> {
        let missing = match Self::find() {
            Ok(programs) => return Some(programs),
            Err(missing) => missing,
        };
        skip("STEPDOWN_KUBE", "A Kubernetes test is", &missing);
        None
    }
}

/// `PATH`, and behind it where a kubectl of our own is, should there be no other.
pub fn path_with_kubectl() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let test = env::current_exe().unwrap_or_default();
    let built = test.ancestors().map(|dir| dir.join("kubernetes"));
    let built = built.filter(|dir| dir.join("kubectl").is_file());
    env::join_paths(env::split_paths(&path).chain(built)).unwrap_or(path)
}

fn etcd() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|dir| dir.join("etcd"))
        .find(|it| it.is_file())
        .ok_or_else(|| "there is no etcd on PATH (Debian: apt-get install etcd-server)".to_owned())
}

fn kube_apiserver() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("STEPDOWN_KUBE_APISERVER").map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("STEPDOWN_KUBE_APISERVER={path:?} is no file"))
        };
    }
    // The test is target/<profile>/deps/<test>, or below target/<triple>.
    let test = env::current_exe().map_err(|error| error.to_string())?;
    test.ancestors()
        .map(|dir| dir.join("kubernetes/kube-apiserver"))
        .find(|it| it.is_file())
        .ok_or_else(|| {
            "target/kubernetes/kube-apiserver is missing (build it with tests/apiserver/build)"
                .to_owned()
        })
}
