//! Whether a token is good.

use std::collections::BTreeMap;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::identity::Identity;
use super::issuer::{Issuer, NoKeys, Pace};
use super::keys::Key;
use super::signatures;
use crate::options::AuthOptions;

/// The largest token, in bytes.
pub(super) const LARGEST: usize = 16 << 10;
/// So much may clocks differ, in seconds.
const LEEWAY: u64 = 30;

/// Whose tokens are taken. Clones share the keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuers: BTreeMap<String, Issuer>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// There is none.
    #[error("empty token")]
    Empty,
    /// It has come on a connection that others may listen to.
    #[error(
        "a token was sent in plaintext, where others may read it: connect with TLS, or from the coordinator's own host; the token is no secret any more"
    )]
    Plaintext,
    /// It is no token.
    #[error("malformed token")]
    Malformed,
    /// It is from nobody whose tokens are taken.
    #[error("unknown issuer")]
    UnknownIssuer,
    /// It is for somebody else.
    #[error("forbidden audience")]
    ForbiddenAudience,
    /// It does not say whose it is.
    #[error("username not found")]
    NoUserName,
    /// Its time is over.
    #[error("token is expired")]
    Expired,
    /// Its time has not come.
    #[error("token is not valid yet")]
    TooEarly,
    /// Nobody can say whether it is good: the keys of its issuer are not known.
    #[error("the keys of the token's issuer can't be had; try again later")]
    NoKeys,
    /// None of the issuer's keys has signed it, in a way that fits the key.
    #[error("token is signed by no key of its issuer")]
    Unsigned,
    /// It lacks something, or has it in another form.
    #[error("token is not valid: {0}")]
    Invalid(String),
}

/// What is looked at of a token before it is known to be good.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

impl Verifier {
    /// Reads the files of keys.
    pub fn open(options: &AuthOptions) -> Result<Self, NoKeys> {
        Self::at_pace(options, Pace::default())
    }

    pub(super) fn at_pace(options: &AuthOptions, pace: Pace) -> Result<Self, NoKeys> {
        signatures::install();
        let mut issuers = BTreeMap::new();
        for (url, options) in &options.issuers {
            issuers.insert(url.clone(), Issuer::open(url, options.clone(), pace)?);
        }
        Ok(Self { issuers })
    }

    /// Asks issuers for the keys that are not in a file. Nobody waits for that, and the start does not
    /// depend on it: it is tried again with the first token.
    pub(super) fn begin(&self) {
        for issuer in self.issuers.values() {
            if issuer.options().static_key_file.is_none() {
                issuer.ask_beside();
            }
        }
    }

    /// What the token says, if it is good.
    pub async fn verify(&self, token: &str) -> Result<Identity, Unauthenticated> {
        if token.is_empty() {
            return Err(Unauthenticated::Empty);
        }
        if token.len() > LARGEST {
            return Err(Unauthenticated::Malformed);
        }
        let header = decode_header(token).map_err(|_| Unauthenticated::Malformed)?;
        let claimed: Claimed =
            dangerous::insecure_decode_claims(token).map_err(|_| Unauthenticated::Malformed)?;
        let issuer = self.issuers.get(&claimed.iss);
        let issuer = issuer.ok_or(Unauthenticated::UnknownIssuer)?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.iss = Some([claimed.iss].into());
        validation.aud = Some(issuer.options().audiences.iter().cloned().collect());
        let keys = issuer.keys();
        let id = header.kid.as_deref();
        let mut checked = check(token, &keys, id, &validation);
        if checked == Err(Unauthenticated::Unsigned)
            && let Some(keys) = issuer.others(&keys).await
        {
            checked = check(token, &keys, id, &validation);
        }
        if checked == Err(Unauthenticated::Unsigned) && issuer.keys().is_empty() {
            return Err(Unauthenticated::NoKeys);
        }
        Identity::of_claims(issuer.url(), issuer.options(), checked?)
            .ok_or(Unauthenticated::NoUserName)
    }
}

/// The claims, if one of the keys has signed them and they hold.
fn check(
    token: &str,
    keys: &[Key],
    id: Option<&str>,
    validation: &Validation,
) -> Result<Map<String, Value>, Unauthenticated> {
    let algorithms = &validation.algorithms;
    let may = |key: &&Key| algorithms.iter().all(|it| key.may_have_signed(*it, id));
    for key in keys.iter().filter(may) {
        let kind = match decode(token, &key.key, validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => error.into_kind(),
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "whatever else is wrong with it is told in its own words"
        )]
        return Err(match kind {
            ErrorKind::InvalidSignature => continue,
            ErrorKind::ExpiredSignature => Unauthenticated::Expired,
            ErrorKind::ImmatureSignature => Unauthenticated::TooEarly,
            ErrorKind::InvalidAudience => Unauthenticated::ForbiddenAudience,
            ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim)
                if claim == "aud" =>
            {
                Unauthenticated::ForbiddenAudience
            }
            ErrorKind::MissingRequiredClaim(claim) => {
                Unauthenticated::Invalid(format!("it has no {claim}"))
            }
            ErrorKind::InvalidClaimFormat(claim) => {
                Unauthenticated::Invalid(format!("its {claim} has not the form it should have"))
            }
            ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::InvalidToken => {
                Unauthenticated::Malformed
            }
            other => Unauthenticated::Invalid(format!("{other:?}")),
        });
    }
    Err(Unauthenticated::Unsigned)
}
