//! The document's version: the object's `resourceVersion` and its `uid`.
//!
//! Both are sent with every change. The first alone would not do: an API server takes a
//! server-side apply at some `resourceVersion` for a creation where there is no object, and would
//! bring a deleted document back. The `uid` makes it refuse.

use kube::core::ObjectMeta;
use stepdown_core::Version;

/// What an API server knows a state of an object by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    pub(crate) resource_version: String,
    pub(crate) uid: String,
}

impl ObjectVersion {
    /// The version of an object that was read; `None` where it is none of an API server's.
    pub(crate) fn of(metadata: &ObjectMeta) -> Option<Self> {
        let resource_version = metadata.resource_version.as_deref()?;
        let uid = metadata.uid.as_deref()?;
        Self::new(resource_version, uid)
    }

    /// Reads what [`version`](Self::version) has written. Anything else is refused: API servers
    /// understand an absent `resourceVersion`, and zero, as "whatever is there".
    pub(crate) fn parse(version: &Version) -> Option<Self> {
        let (resource_version, uid) = version.0.split_once('@')?;
        Self::new(resource_version, uid)
    }

    pub(crate) fn version(&self) -> Version {
        Version::new(format!("{}@{}", self.resource_version, self.uid))
    }

    fn new(resource_version: &str, uid: &str) -> Option<Self> {
        let is_number = resource_version.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = resource_version.parse().ok()?;
        (is_number && number > 0 && !uid.is_empty()).then(|| Self {
            resource_version: resource_version.to_owned(),
            uid: uid.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_survives_its_text_form() {
        let version = ObjectVersion::new("743", "4e196f5a-355f").unwrap();
        assert_eq!(version.version(), Version::new("743@4e196f5a-355f"));
        assert_eq!(ObjectVersion::parse(&version.version()), Some(version));
    }

    #[test]
    fn nothing_that_a_server_takes_for_whatever_is_there_is_a_version() {
        for text in [
            "", "0", "743", "@u", "0@u", "00@u", "-1@u", "+1@u", "a@u", "743@",
        ] {
            assert_eq!(ObjectVersion::parse(&Version::new(text)), None, "{text}");
        }
    }
}
