//! What coordinators ask of data servers, as it arrives, is given up, or takes too long.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{Answer, Binding, Call, CallError, CallErrorKind};
use stepdown_sandbox::replica::{PATIENCE, Refusal, Request};

use super::check::Check;
use super::server::{Packet, Token, failure};
use super::world::{What, World};

impl World<'_> {
    pub(super) fn call_arrived(&mut self, server: usize, packet: Packet) -> Check {
        let now = self.queue.now();
        self.check_sent_in_office(&packet)?;
        let Packet {
            token,
            caller,
            instance_id,
            call,
            ..
        } = packet;
        let instance_id = instance_id.unwrap_or_else(|| Arc::from(""));
        let place = &mut self.servers[server];
        if !place.up {
            if place.refuses {
                let error = failure(CallErrorKind::Unreachable, "connection refused");
                self.send_answer(server, caller, Err(error));
            }
            return Ok(());
        }
        let request = match call {
            Call::CheckHealth => {
                let serving = now >= place.not_serving;
                let answer = Ok(Answer::Health { serving });
                if now < place.slow_probes {
                    let delay = self.chance.network.millis(1_000, 40_000);
                    self.queue
                        .after(delay, What::AnswerLeaves(server, caller, answer));
                } else {
                    self.send_answer(server, caller, answer);
                }
                return Ok(());
            }
            Call::Handshake => {
                let binding = if now < place.other_cluster {
                    Ok(Binding::Mismatch)
                } else {
                    place.model.handshake(&instance_id)
                };
                let answer = binding
                    .map_err(CallError::from)
                    .map(|binding| Answer::Handshaken {
                        binding,
                        features: place.model.features().clone(),
                    });
                place.callers.insert(token, caller);
                place.handshakes.push((token, answer));
                self.plan_sync(server);
                return Ok(());
            }
            Call::AddFollower(request) => {
                let boot = place.boot;
                self.queue
                    .after(PATIENCE, What::PatienceEnds(server, boot, token));
                Request::AddFollower(request)
            }
            Call::BecomeLeader(request) => {
                if place.restarts_unwatched && place.watchers.is_empty() {
                    place.restarts_unwatched = false;
                    let delay = self.chance.network.millis(5, 500);
                    let restart = What::ServerRestarts {
                        server,
                        times: 1,
                        apart: Duration::ZERO,
                    };
                    self.queue.after(delay, restart);
                    self.sometimes.hit("leader_restarted_unwatched");
                }
                Request::BecomeLeader(request)
            }
            Call::DeleteShard(request) => Request::DeleteShard {
                shard: request.shard,
                term: request.term,
            },
            Call::GetStatus { shard } => Request::GetStatus { shard },
            Call::NewTerm(request) => {
                if place.model.has_unsynced(request.shard, request.term) {
                    self.sometimes.hit("unsynced_when_fenced");
                }
                let is_slow = self.queue.now() < place.slow_syncs;
                if is_slow && self.chance.syncs.percent(20) {
                    place.model.garble(request.shard);
                    self.sometimes.hit("head_not_told");
                }
                Request::NewTerm(request)
            }
            Call::Truncate(request) => Request::Truncate(request),
        };
        let admitted = if now < place.other_cluster {
            Err(Refusal::UnexpectedInstanceId(instance_id))
        } else {
            place.model.admit(&instance_id)
        };
        if let Err(refusal) = admitted {
            self.send_answer(server, caller, Err(refusal.into()));
            return Ok(());
        }
        place.callers.insert(token, caller);
        place.model.handle_request(token, request);
        self.plan_sync(server);
        Ok(())
    }

    pub(super) fn cancel_at(&mut self, server: usize, token: Token) -> Check {
        let place = &mut self.servers[server];
        place.watchers.remove(&token);
        if place.up && place.callers.remove(&token).is_some() {
            place.model.cancel(token);
            self.plan_sync(server);
        }
        Ok(())
    }

    pub(super) fn patience_ends(&mut self, server: usize, boot: u32, token: Token) {
        let place = &mut self.servers[server];
        if place.up && place.boot == boot {
            place.model.expire(token);
            self.plan_sync(server);
        }
    }
}
