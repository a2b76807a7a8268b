//! Audio of a party, for code.

use std::time::Duration;

use media_core::control::SoundRate;
use media_core::tap::{Playout, Way};
use sans_io::Time;
use tokio::time::interval;

use super::{AudioFrame, AudioStream, FRAME, Owner, Running};
use crate::media::MediaTap;

/// Gives what a party says to `sink`, 20 ms at a time.
pub(crate) fn receive(
    tap: MediaTap,
    rate: SoundRate,
    sink: impl FnMut(AudioFrame<'_>) + Send + 'static,
) -> AudioStream {
    AudioStream(Running::start(|owner| run(tap, rate, sink, owner)))
}

async fn run(tap: MediaTap, rate: SoundRate, mut sink: impl FnMut(AudioFrame<'_>), mut owner: Owner) {
    let mut ear = Ear::new(tap, rate.hertz());
    let mut every = interval(FRAME);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = owner.gone() => return,
        }
        if !ear.listen() {
            return;
        }
        if let Some(samples) = ear.pull(Way::Received) {
            sink(AudioFrame {
                samples,
                rate: samples.len() as u32 * 50,
            });
        }
    }
}

/// Listener to a tapped leg: both directions, 20 ms at a time.
pub(super) struct Ear {
    tap: MediaTap,
    /// Sound of the party, and what it hears.
    playouts: [Playout; 2],
    packet: Vec<u8>,
    /// Time of the frame that is due; `None` before the first packet.
    due: Option<Time>,
    silence: Vec<i16>,
}

impl Ear {
    pub(super) fn new(tap: MediaTap, hertz: u32) -> Ear {
        Ear {
            tap,
            playouts: [Playout::new(hertz), Playout::new(hertz)],
            packet: Vec::new(),
            due: None,
            silence: vec![0; hertz.min(16_000) as usize / 50],
        }
    }

    /// Takes what came since the last frame, to be called for each; false once the leg is over.
    pub(super) fn listen(&mut self) -> bool {
        while let Some(found) = self.tap.read(&mut self.packet) {
            if let Some(codec) = found.codec {
                let playout = &mut self.playouts[usize::from(found.way == Way::Sent)];
                playout.insert(found.at, codec, &self.packet);
                self.due.get_or_insert(found.at);
            }
        }
        if let Some(due) = &mut self.due {
            *due += Duration::from_millis(20);
        }
        !self.tap.is_over()
    }

    /// The frame that is due of one direction: silence where nothing is heard. `None` before the first packet of all.
    pub(super) fn pull(&mut self, way: Way) -> Option<&[i16]> {
        let due = self.due?;
        let playout = &mut self.playouts[usize::from(way == Way::Sent)];
        let length = match playout.rate() {
            0 => self.silence.len(),
            rate => rate as usize / 50,
        };
        Some(
            playout
                .pull(due)
                .unwrap_or(&self.silence[..length.min(self.silence.len())]),
        )
    }
}
