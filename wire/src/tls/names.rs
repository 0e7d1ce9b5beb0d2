//! The names in a certificate.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Of so many names no more is made.
const MOST: usize = 100;

/// The common names of whom it is for, and the alternative ones that are hosts, URIs or mail addresses.
/// Whether they can be believed is for its authority to say.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let common = certificate.subject().iter_common_name();
    names.extend(common.filter_map(|it| it.as_str().ok()));
    let alternative = certificate.subject_alternative_name().ok().flatten();
    for name in alternative.iter().flat_map(|it| &it.value.general_names) {
        if let GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) =
            name
        {
            names.push(name);
        }
    }
    names.truncate(MOST);
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn a_certificate_has_its_common_name_and_the_alternative_ones() {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "operator");
        for name in [
            SanType::URI("spiffe://cluster/admin".try_into().unwrap()),
            SanType::Rfc822Name("ops@example.com".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ] {
            params.subject_alt_names.push(name);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(
            names(certificate.der()),
            [
                "operator",
                "a.example",
                "spiffe://cluster/admin",
                "ops@example.com"
            ]
        );
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        assert_eq!(
            names(&CertificateDer::from(vec![0x30, 0x80, 1])),
            Vec::<String>::new()
        );
    }
}
