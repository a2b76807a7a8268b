//! Behaviour of phones and trunks: nodes that anybody may call.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use media_core::control::Application;
use media_core::tone::{Sine, amplitude};
use sans_io::Rng;
use session_core::{Event, LegId, SessionId};
use sip_core::message::StatusCode;

use super::world::World;

/// Fate of a call at a phone or a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// 200, nothing before.
    AtOnce,
    /// 180, then 200 after so many milliseconds.
    Rings(u64),
    /// 183 with SDP, then 200.
    Early(u64),
    /// Refused with this code after so many milliseconds, 180 before if they are not 0.
    Refuses(u16, u64),
    /// 180 and nothing else.
    Silent,
}

impl Manner {
    /// Any of them.
    pub fn any(rng: &mut Rng) -> Manner {
        match rng.below(20) {
            0..=3 => Manner::AtOnce,
            4..=9 => Manner::Rings(rng.below(6_000)),
            10..=12 => Manner::Early(rng.below(3_000)),
            13 | 14 => Manner::Refuses(486, 0),
            15 | 16 => Manner::Refuses(603, 1 + rng.below(4_000)),
            17 => Manner::Refuses(503, 0),
            _ => Manner::Silent,
        }
    }
}

/// A phone.
#[derive(Debug, Default)]
pub struct Phone {
    /// Fate of calls; `None`: a different one for each.
    pub manner: Option<Manner>,
    /// Sound that it sends and keeps.
    pub voice: Option<Voice>,
    /// Time after the answer within which the caller has hung up.
    pub hangs_up: Option<Duration>,
}

/// A tone to send, and the sound heard meanwhile, 8 kHz.
#[derive(Debug)]
pub struct Voice {
    samples: Arc<[i16]>,
    record: SyncSender<Vec<i16>>,
    heard: Receiver<Vec<i16>>,
}

impl Voice {
    /// `hertz` should divide 8,000, so that the loop has no seam.
    #[must_use]
    pub fn tone(hertz: f64, dbm0: f32) -> Voice {
        let mut samples = vec![0; 8_000];
        Sine::new(hertz, amplitude(dbm0)).add(&mut samples);
        let (record, heard) = sync_channel(100_000);
        Voice {
            samples: samples.into(),
            record,
            heard,
        }
    }

    /// For a leg.
    #[must_use]
    pub fn application(&self) -> Application {
        Application::Clip {
            samples: self.samples.clone(),
            rate: 8_000,
            repeat: true,
            record: Some(self.record.clone()),
        }
    }

    /// Everything heard since the last time.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        self.heard.try_iter().flatten().collect()
    }
}

impl Phone {
    fn application(&self) -> Application {
        self.voice.as_ref().map_or(Application::Echo, Voice::application)
    }
}

impl World {
    /// A phone hears of a call.
    pub(super) fn phone(&mut self, node: usize, event: &Event) {
        if let Event::Incoming { session, leg, .. } = event {
            let manner = match self.phones[node].manner {
                Some(manner) => manner,
                None => Manner::any(&mut self.rng),
            };
            self.take(node, *session, *leg, manner);
        }
    }

    fn take(&mut self, node: usize, session: SessionId, leg: LegId, manner: Manner) {
        let sound = self.phones[node].application();
        let now = self.now;
        let calls = &mut self.nodes[node].coordinator;
        match manner {
            Manner::AtOnce => calls.answer(now, leg, Some(sound)),
            Manner::Rings(ms) => {
                calls.ring(now, leg, StatusCode::RINGING);
                self.after(ms, move |w| w.phone_answers(node, session, leg, sound));
            }
            Manner::Early(ms) => {
                calls.progress(now, leg, Some(Application::Ringback));
                self.after(ms, move |w| w.phone_answers(node, session, leg, sound));
            }
            Manner::Refuses(code, 0) => calls.reject(now, session, status(code)),
            Manner::Refuses(code, ms) => {
                calls.ring(now, leg, StatusCode::RINGING);
                self.after(ms, move |w| {
                    let now = w.now;
                    w.nodes[node].coordinator.reject(now, session, status(code));
                    w.drain(node);
                });
            }
            Manner::Silent => calls.ring(now, leg, StatusCode::RINGING),
        }
        if let Some(talk) = self.phones[node].hangs_up {
            self.after(talk.as_millis() as u64 + 8_000, move |w| w.hang_up(node, session));
        }
    }

    fn phone_answers(&mut self, node: usize, _: SessionId, leg: LegId, sound: Application) {
        let now = self.now;
        self.nodes[node].coordinator.answer(now, leg, Some(sound));
        self.drain(node);
    }

    /// A node ends a session of its own; nothing if that is over.
    pub fn hang_up(&mut self, node: usize, session: SessionId) {
        let now = self.now;
        self.nodes[node].coordinator.terminate_session(now, session);
        self.drain(node);
    }
}

/// Status of a refusal.
fn status(code: u16) -> StatusCode {
    StatusCode::try_from(code).expect("a status code")
}
