//! A certificate that follows its files: it is read anew for every handshake, so that it can be
//! renewed without a restart.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use tracing::warn;

use super::error::TlsError;
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

    /// Between the writes of a certificate and its key the pair does not fit: the last good one
    /// serves on.
    pub(super) fn newest(&self) -> Arc<CertifiedKey> {
        let mut last_good = self
            .last_good
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match read_pair(&self.options, &self.provider) {
            Ok(pair) => *last_good = pair,
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "Can't read the certificate; the last good one is used"
            ),
        }
        Arc::clone(&last_good)
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
