//! No namespace is deleted by a configuration that was not read just before.
//!
//! What this coordinator goes by may be old: one that stood by was frozen, or looks at the document now and then, and
//! what was held back may have been mended a moment ago. So the document is read once more, and nothing is deleted
//! while it can't be read, or says anything else.

use std::sync::Arc;
use std::time::Duration;

use super::Office;
use super::deletions::Held;
use crate::cluster::ClusterConfiguration;
use crate::context::Context;
use crate::effect::Effect;
use crate::event::ConfigurationText;
use crate::id::{RequestId, Timestamp};
use crate::report::Report;

/// So long after it could not be read, or said something else, it is read again.
const PAUSE: Duration = Duration::from_secs(2);

/// What was read is believed for so long after it was asked.
const PROMPT: Duration = Duration::from_secs(5);

/// A store that takes longer is waited for.
const SLOW: Duration = Duration::from_secs(1);

/// What is made sure of.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    /// The read that is under way.
    asked: Option<Asked>,
    /// From then on it may be read again.
    again: Option<Timestamp>,
    /// What the document said after this office had taken it in.
    sure: Option<Arc<ClusterConfiguration>>,
    /// Why nothing was deleted the last time by which configuration, so that it is said once.
    told: Option<(Arc<ClusterConfiguration>, String)>,
}

#[derive(Clone, Debug)]
struct Asked {
    request: RequestId,
    since: Timestamp,
    /// What it is expected to say.
    expected: Arc<ClusterConfiguration>,
}

impl Fresh {
    pub(super) fn is_being_asked(&self) -> bool {
        self.asked.is_some() || self.again.is_some()
    }

    /// When something is to be read again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.again.filter(|_| self.asked.is_none())
    }
}

impl Office {
    /// Whether the document says this, and was read after it had been taken in. If that is not known it is asked.
    pub(super) fn is_sure_of(
        &mut self,
        configuration: &Arc<ClusterConfiguration>,
        context: &mut Context,
    ) -> bool {
        let is_it = |it: &Arc<ClusterConfiguration>| Arc::ptr_eq(it, configuration);
        if self.fresh.sure.as_ref().is_some_and(is_it) {
            return true;
        }
        let asked = self.fresh.asked.as_ref();
        let is_asked = asked.is_some_and(|asked| is_it(&asked.expected));
        let is_early = self.fresh.again.is_some_and(|again| context.now < again);
        if !is_asked && !is_early {
            let request = context.request();
            context.emit(Effect::ReadConfiguration {
                tenure: context.tenure,
                request,
            });
            self.fresh.asked = Some(Asked {
                request,
                since: context.now,
                expected: configuration.clone(),
            });
            self.fresh.again = None;
        }
        false
    }

    /// The document was read, or could not be.
    pub(crate) fn configuration_found(
        &mut self,
        request: RequestId,
        found: &Result<ConfigurationText, String>,
        context: &mut Context,
    ) {
        let asked = self.fresh.asked.take_if(|asked| asked.request == request);
        let Some(Asked {
            since, expected, ..
        }) = asked
        else {
            return;
        };
        let held = self.held.as_ref().map(Held::configuration);
        let is_it = |it: &Arc<ClusterConfiguration>| Arc::ptr_eq(it, &expected);
        if !self.configuration.iter().chain(held).any(is_it) {
            // Another one has come in its place.
            return;
        }
        match is_as_expected(found, &expected) {
            // This process may have been stopped meanwhile.
            Ok(()) if context.now.since(since) > PROMPT => {
                self.fresh.again = Some(context.now);
            }
            // What is marked now would be stored no one knows when, and can't be taken back.
            Ok(()) if self.ledger.is_slow(SLOW, context) => {
                self.fresh.again = Some(context.now.after(PAUSE));
            }
            Ok(()) => {
                self.fresh.told = None;
                self.fresh.sure = Some(expected);
            }
            Err(reason) => {
                self.fresh.again = Some(context.now.after(PAUSE));
                if found.is_ok() {
                    self.hold_longer(&expected, context);
                }
                let told = self.fresh.told.as_ref();
                if !told.is_some_and(|(of, told)| is_it(of) && *told == reason) {
                    self.fresh.told = Some((expected.clone(), reason.clone()));
                    context.report(Report::DeletionUnsure { reason });
                }
            }
        }
        self.put_held_into_force(context);
        self.delete_namespaces(context);
    }

    /// What could not be made sure of is tried again.
    pub(super) fn make_sure_again(&mut self, context: &mut Context) {
        if self.fresh.again.is_some_and(|again| again <= context.now) {
            self.fresh.again = None;
            self.delete_namespaces(context);
        }
    }
}

fn is_as_expected(
    found: &Result<ConfigurationText, String>,
    expected: &ClusterConfiguration,
) -> Result<(), String> {
    let text = found
        .as_ref()
        .map_err(|reason| format!("the configuration can't be read again: {reason}"))?;
    let read = ClusterConfiguration::read(text.text.as_deref());
    match read {
        Ok(read) if read == *expected => Ok(()),
        Ok(_) => Err(format!("{} has changed", text.source)),
        Err(error) => Err(format!("{}: {error}", text.source)),
    }
}
