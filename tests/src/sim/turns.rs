//! Calls that wait for their turn between the gate and the wire.

use stepdown_core::call::Call;
use stepdown_core::tenancy::End;

use super::check::Check;
use super::host::Leaving;
use super::server::Caller;
use super::world::{What, World};

impl World<'_> {
    /// Makes a call, at once or when it is its turn.
    pub(super) fn take_turn(&mut self, caller: Caller, server: Option<usize>, call: Call) {
        let (until, most) = self.hosts[caller.host].queued;
        if self.queue.now() >= until {
            return self.call(caller, server, call);
        }
        let wait = self.chance.network.between(std::time::Duration::ZERO, most);
        let leaving = Leaving {
            caller,
            server,
            call,
        };
        self.queue.after(wait, What::CallLeaves(leaving));
        self.sometimes.hit("call_queued");
    }

    /// It is a call's turn: the gate is looked at once more, unless nobody waits for it any more.
    pub(super) fn call_leaves(&mut self, leaving: Leaving) -> Check {
        let now = self.queue.now();
        let Caller {
            host,
            boot,
            request,
            ..
        } = leaving.caller;
        let place = &mut self.hosts[host];
        if place.boot != boot {
            return Ok(());
        }
        if place.paused.is_some() {
            place.leaving.push(leaving);
            return Ok(());
        }
        if self.factory.looks_again() {
            let is_awaited = place.tenancy.under_way().any(|(other, _)| other == request);
            if !is_awaited {
                return Ok(());
            }
            if place.clock.read(now) >= place.tenancy.gate() {
                self.sometimes.hit("queued_call_refused");
                let told = place.tenancy.ended(request, End::NoAuthority);
                return self.tell(host, told);
            }
            self.check_leaves(host)?;
        }
        self.call(leaving.caller, leaving.server, leaving.call);
        Ok(())
    }

    /// The calls whose turn came while a process was stopped.
    pub(super) fn leave_late(&mut self, host: usize) -> Check {
        for leaving in std::mem::take(&mut self.hosts[host].leaving) {
            self.call_leaves(leaving)?;
        }
        Ok(())
    }
}
