//! A certificate that follows its files, so that it can be renewed without a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use tracing::warn;

use super::error::TlsError;
use super::followed::Reread;
use super::key;
use super::options::TlsOptions;
use super::pem::certificates;

/// A certificate and its key, as their files have them.
#[derive(Debug)]
pub(super) struct Certificate {
    options: TlsOptions,
    provider: Arc<CryptoProvider>,
    last_good: Mutex<Arc<CertifiedKey>>,
}

impl Certificate {
    pub(super) fn open(
        options: &TlsOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            last_good: Mutex::new(read_pair(options, provider)?),
            options: options.clone(),
            provider: Arc::clone(provider),
        })
    }

    pub(super) fn last_good(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.known())
    }

    fn known(&self) -> MutexGuard<'_, Arc<CertifiedKey>> {
        self.last_good
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reread for Certificate {
    /// Between the writes of a certificate and its key the pair does not fit: the last good one
    /// serves on.
    fn reread(&self) {
        match read_pair(&self.options, &self.provider) {
            Ok(pair) => *self.known() = pair,
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "Can't read the certificate; the last good one is used"
            ),
        }
    }
}

fn read_pair(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&options.cert_file)?;
    let key = key::read(&options.key_file, provider)?;
    let pair = CertifiedKey::new(chain, key);
    // Where that can't be told, the peer will.
    let fits = match pair.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        fits => fits,
    };
    let files = || {
        let (cert, key) = (options.cert_file.display(), options.key_file.display());
        format!("{cert} and {key}")
    };
    match fits {
        Ok(()) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Unfit(format!(
            "{}: the key is that of another certificate",
            files()
        ))),
        Err(error) => Err(TlsError::Unfit(format!("{}: {error}", files()))),
    }
}
