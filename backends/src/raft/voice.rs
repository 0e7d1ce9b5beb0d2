//! Whether a leader is heard of.
//!
//! Raft has a leader go on for ever, though a majority does not answer it. Whoever still hears it votes
//! for nobody else, and where some are away, a majority can't be had without those. So a leader that
//! is cut off falls silent.

use std::sync::atomic::{AtomicBool, Ordering};

use super::node::Node;

/// Why a leader keeps silent, where it does.
#[derive(Debug, Default)]
pub(super) struct Voice {
    makes_way: AtomicBool,
    is_cut_off: AtomicBool,
}

impl Voice {
    fn is_heard(&self) -> bool {
        !self.makes_way.load(Ordering::Relaxed) && !self.is_cut_off()
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }
}

impl Node {
    /// Keeps silent so that another may be elected, or does so no longer.
    pub(super) fn make_way_in_silence(&self, silent: bool) {
        self.voice.makes_way.store(silent, Ordering::Relaxed);
        self.speak();
    }

    /// Keeps silent while it leads, has had no answer of a majority for a lease, and gets none now:
    /// while something large is on its way, there are no other answers. Of up to three nodes, each that
    /// still hears it is a majority with it.
    pub(super) async fn keep_silent_if_cut_off(&self, misses: bool) {
        let has_led_for = self.terms.borrow().elapsed();
        let may_be_cut_off = misses
            && self.leads().is_some()
            && self.voters() > 3
            && has_led_for >= self.timing.election_max;
        let is_cut_off = may_be_cut_off && !self.majority_answers(|_| true).await;
        self.voice.is_cut_off.store(is_cut_off, Ordering::Relaxed);
        self.speak();
    }

    /// A leader without a majority needs everybody, unless it makes way already.
    pub(super) fn leave_nobody_alone_in_vain(&self, misses: bool) {
        if misses && self.leads().is_some() && !self.voice.makes_way.load(Ordering::Relaxed) {
            self.hush.give_up();
        }
    }

    /// Whether nobody may hear of it, so that another can be elected. Of up to three nodes that one has
    /// its own vote and this one's.
    pub(super) fn keeps_silent(&self) -> bool {
        self.voice.makes_way.load(Ordering::Relaxed) && self.voters() > 3
    }

    fn speak(&self) {
        self.raft.runtime_config().heartbeat(self.voice.is_heard());
    }
}
