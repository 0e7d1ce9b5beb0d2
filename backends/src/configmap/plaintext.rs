//! Credentials that everybody on the way to the API server can read.

use http::uri::Scheme;
use kube::Config;

pub(super) fn warn_of_plaintext(config: &Config) {
    if shows_its_secret(config) {
        tracing::warn!(
            server = %config.cluster_url,
            "The credentials for the API server go out in plaintext: use https:// in the kubeconfig"
        );
    }
}

/// Whether everybody on the way to the API server learns what it knows us by.
fn shows_its_secret(config: &Config) -> bool {
    let auth = &config.auth_info;
    let has_secret = auth.token.is_some()
        || auth.token_file.is_some()
        || auth.password.is_some()
        || auth.exec.is_some()
        || auth.auth_provider.is_some();
    has_secret && config.cluster_url.scheme() == Some(&Scheme::HTTP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_plaintext_is_told() {
        for (url, token_file, is_shown) in [
            ("http://10.0.0.1:8001", Some("/token"), true),
            ("https://10.0.0.1:6443", Some("/token"), false),
            // As of `kubectl proxy`, which adds the credentials itself.
            ("http://127.0.0.1:8001", None, false),
        ] {
            let mut config = Config::new(url.parse().unwrap());
            config.auth_info.token_file = token_file.map(str::to_owned);
            assert_eq!(shows_its_secret(&config), is_shown, "{url}");
        }
    }
}
