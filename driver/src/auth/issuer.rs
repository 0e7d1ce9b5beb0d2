//! One issuer of tokens, and its keys as they are known.
//!
//! They are asked for again when they are old, and when a token is signed by none of them, since an issuer
//! changes them now and then; but not often, whatever strangers show. Where that fails, the last good ones
//! are kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::fetch::{FetchError, Fetcher};
use super::keys::{self, Key};
use super::pem_keys;
use crate::causes::with_causes;
use crate::options::IssuerOptions;

/// How often and how long an issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The keys are asked for again after so long.
    pub fresh: Duration,
    /// But never sooner than this after the last question.
    pub between: Duration,
    /// For each answer.
    pub answer: Duration,
    /// A call waits so long for keys.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(15 * 60),
            between: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            patience: Duration::from_secs(5),
        }
    }
}

/// One issuer. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct Issuer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    url: Arc<str>,
    options: IssuerOptions,
    pace: Pace,
    fetcher: Fetcher,
    known: Mutex<Known>,
    /// One question is under way at a time.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Arc<Vec<Key>>,
    /// When they came.
    at: Option<Instant>,
    /// When they were last asked for.
    asked: Option<Instant>,
}

/// Why the keys of an issuer can't be had.
#[derive(Debug, thiserror::Error)]
pub enum NoKeys {
    /// It does not answer as it should.
    #[error("{url}: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What was wrong.
        reason: String,
    },
    /// Their file can't be used.
    #[error("{0}")]
    File(String),
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0, 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
}

impl Issuer {
    /// Reads its file, if it has one. The issuer itself is asked later, in its own time.
    pub(super) fn open(url: &str, options: IssuerOptions, pace: Pace) -> Result<Self, NoKeys> {
        let mut known = Known::default();
        if let Some(path) = &options.static_key_file {
            known.keys = Arc::new(pem_keys::read(path).map_err(NoKeys::File)?);
            known.at = Some(Instant::now());
        }
        Ok(Self(Arc::new(Shared {
            url: url.into(),
            options,
            pace,
            fetcher: Fetcher::default(),
            known: Mutex::new(known),
            asking: Arc::default(),
        })))
    }

    pub(super) fn url(&self) -> &Arc<str> {
        &self.0.url
    }

    pub(super) fn options(&self) -> &IssuerOptions {
        &self.0.options
    }

    /// The keys as they are known. Where they are old, they are asked for again, and nobody waits for that.
    pub(super) fn keys(&self) -> Arc<Vec<Key>> {
        let known = self.known();
        let keys = Arc::clone(&known.keys);
        let is_old = known.at.is_some_and(|at| at.elapsed() >= self.0.pace.fresh);
        if is_old && self.0.may_ask(&known) {
            drop(known);
            self.ask_beside();
        }
        keys
    }

    /// Others than those that have been seen, if there are any by now.
    pub(super) async fn others(&self, seen: &Arc<Vec<Key>>) -> Option<Arc<Vec<Key>>> {
        let others = || {
            let keys = Arc::clone(&self.known().keys);
            (!Arc::ptr_eq(&keys, seen)).then_some(keys)
        };
        if let Some(keys) = others() {
            return Some(keys);
        }
        // A question that has begun is waited for, though nobody may ask anew.
        let is_under_way = self.0.asking.try_lock().is_err();
        if is_under_way || self.0.may_ask(&self.known()) {
            let asked = self.ask_beside();
            // It goes on for whoever comes next.
            let _ = timeout(self.0.pace.patience, asked).await;
        }
        others()
    }

    /// Asks for the keys, unless somebody does.
    pub(super) fn ask_beside(&self) -> tokio::task::JoinHandle<()> {
        let shared = Arc::clone(&self.0);
        // Whoever waits for it may go away, and it is for the others as well.
        tokio::spawn(async move {
            let asking = Arc::clone(&shared.asking).lock_owned().await;
            if shared.may_ask(&shared.known()) {
                shared.ask().await;
            }
            drop(asking);
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known()
    }
}

impl Shared {
    fn may_ask(&self, known: &Known) -> bool {
        known
            .asked
            .is_none_or(|at| at.elapsed() >= self.pace.between)
    }

    async fn ask(&self) {
        self.known().asked = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known();
                if known.at.is_none() {
                    info!(issuer = %self.url, keys = keys.len(), "Read the keys of an issuer of tokens");
                }
                known.keys = Arc::new(keys);
                known.at = Some(Instant::now());
            }
            Err(error) => warn!(
                issuer = %self.url,
                error = &error as &dyn std::error::Error,
                "Can't read the keys of an issuer of tokens; those that are known are kept"
            ),
        }
    }

    async fn fetch(&self) -> Result<Vec<Key>, NoKeys> {
        if let Some(path) = self.options.static_key_file.clone() {
            let reading = tokio::task::spawn_blocking(move || pem_keys::read(&path));
            let read = reading.await.map_err(|error| error.to_string());
            return read.and_then(|keys| keys).map_err(NoKeys::File);
        }
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.url.trim_end_matches('/')
        );
        let told = |reason| NoKeys::Answer {
            url: url.clone(),
            reason,
        };
        let answer = self.get(&url).await.map_err(told)?;
        let discovery: Discovery =
            serde_json::from_slice(&answer).map_err(|error| told(error.to_string()))?;
        if *discovery.issuer != *self.url {
            let named: String = discovery.issuer.chars().take(200).collect();
            return Err(told(format!("it speaks of another issuer: {named}")));
        }
        let keys_url = discovery.jwks_uri;
        if self.url.starts_with("https://") && !keys_url.starts_with("https://") {
            return Err(told("its jwks_uri is not https".to_owned()));
        }
        let told = |reason| NoKeys::Answer {
            url: keys_url.chars().take(200).collect(),
            reason,
        };
        let answer = self.get(&keys_url).await.map_err(told)?;
        let keys = keys::of_key_set(&answer).map_err(|error| told(error.to_string()))?;
        let keys = match allowed(&discovery.id_token_signing_alg_values_supported) {
            Some(allowed) => keys.into_iter().map(|key| key.only_for(&allowed)).collect(),
            None => keys,
        };
        if keys.is_empty() {
            return Err(told("none of its keys can be used".to_owned()));
        }
        Ok(keys)
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url.to_string())?;
        let answer = self.fetcher.get(&uri, self.pace.answer).await;
        answer
            .map(|bytes| bytes.to_vec())
            .map_err(|error| with_causes(&error))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an issuer says that it signs by; `None` if it says nothing.
fn allowed(named: &[String]) -> Option<Vec<Algorithm>> {
    let known = named.iter().filter_map(|name| name.parse().ok());
    (!named.is_empty()).then(|| known.collect())
}
