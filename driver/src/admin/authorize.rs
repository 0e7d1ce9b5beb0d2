//! Who may do what.

use tonic::{Extensions, Status};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// To be shown something.
    Read,
    /// To add or change something.
    Write,
    /// To take something away.
    Delete,
}

/// Whoever asks, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name that it is known by.
    pub(crate) subject: String,
}

/// Decides who may do what.
pub(crate) trait Authorize: Send + Sync + 'static {
    /// Whether the caller, which the request's extensions tell of, may do this; `namespace` is the one
    /// that it is about, if it is about one.
    fn check(
        &self,
        extensions: &Extensions,
        verb: Verb,
        namespace: Option<&str>,
    ) -> Result<Caller, Status>;
}

/// What keeps strangers from the port, where nobody is asked who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Only certificates of known authorities are let in.
    ClientCertificates,
    /// Only this machine reaches it.
    Loopback,
    /// Nothing, and the options say that this is meant.
    Disclaimed,
    /// Nothing.
    None,
}

impl Authorize for Protection {
    fn check(&self, _: &Extensions, verb: Verb, _: Option<&str>) -> Result<Caller, Status> {
        match (verb, self) {
            (Verb::Write | Verb::Delete, Self::None) => Err(Status::permission_denied(
                "anybody who reaches this port could change the cluster, so nobody may: bind server.public to \
                 loopback, require certificates (server.public.tls with clientAuth), or say \
                 server.public.allowUnauthenticatedAdmin: true in the --sconfig file",
            )),
            (Verb::Read, _)
            | (
                Verb::Write | Verb::Delete,
                Self::ClientCertificates | Self::Loopback | Self::Disclaimed,
            ) => Ok(Caller {
                subject: "anybody".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_keeps_strangers_away_they_may_only_read() {
        let may = |protection: Protection, verb| {
            let checked = protection.check(&Extensions::default(), verb, Some("default"));
            checked.map_err(|status| status.message().to_owned())
        };
        for verb in [Verb::Write, Verb::Delete] {
            let told = may(Protection::None, verb).unwrap_err();
            assert!(told.contains("allowUnauthenticatedAdmin: true"), "{told}");
            for protection in [
                Protection::ClientCertificates,
                Protection::Loopback,
                Protection::Disclaimed,
            ] {
                assert!(may(protection, verb).is_ok());
            }
        }
        assert!(may(Protection::None, Verb::Read).is_ok());
    }
}
