//! Voice activity: whether somebody speaks, by the level of the packets that come.
//!
//! The level is that of the samples, so that it is known in any codec and whatever becomes of the packets. It costs one more decoding
//! of them, for legs that are asked about only.

use std::time::Duration;

use sans_io::{Deadline, Time};

use crate::codec::{Decoder, LONGEST, RATE};
use crate::negotiated::Codec;

/// Mean square of the samples from which a packet counts as speech: -38 dBov.
const SPEECH: u64 = 170_000;
/// Mean square over which somebody who speaks goes on: -46 dBov.
const GOES_ON: u64 = 27_000;
/// Packets of speech more than quiet ones that begin it: a click does not.
const BEGINS: u8 = 3;
/// Pause that ends it; those between words are shorter.
const ENDS: Duration = Duration::from_millis(600);

/// Detector for the packets of one peer.
#[derive(Debug, Default)]
pub(crate) struct VoiceActivity {
    decoder: Option<Decoder>,
    /// Packets of speech, less those of quiet, until it has begun.
    loud: u8,
    /// Time of the last sound of somebody who speaks; `None`: nobody does.
    speaking: Option<Time>,
    news: Option<bool>,
}

impl VoiceActivity {
    /// Takes the payload of a packet.
    pub(crate) fn packet(&mut self, now: Time, codec: Codec, payload: &[u8]) {
        if self
            .decoder
            .as_ref()
            .is_none_or(|decoder| decoder.codec() != codec)
        {
            self.decoder = Decoder::new(codec, RATE).ok();
        }
        let mut pcm = [0; LONGEST];
        let decoded = self
            .decoder
            .as_mut()
            .and_then(|decoder| decoder.decode(payload, &mut pcm).ok());
        let level = mean_square(&pcm[..decoded.unwrap_or(0)]);
        if let Some(last) = &mut self.speaking {
            if level >= GOES_ON {
                *last = now;
            }
        } else if level < SPEECH {
            self.loud = self.loud.saturating_sub(1);
        } else {
            self.loud += 1;
            if self.loud >= BEGINS {
                self.loud = 0;
                self.speaking = Some(now);
                self.news = Some(true);
            }
        }
    }

    /// Time at which somebody who speaks has stopped, unless something comes.
    pub(crate) fn deadline(&self) -> Deadline {
        self.speaking.map(|last| (last + ENDS, "pause in speech"))
    }

    /// Looks whether the deadline has passed.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if self.deadline().is_some_and(|(at, _)| at <= now) {
            self.speaking = None;
            self.news = Some(false);
        }
    }

    /// The change since the last time, if there is one: true if somebody began to speak.
    pub(crate) fn poll(&mut self) -> Option<bool> {
        self.news.take()
    }
}

fn mean_square(pcm: &[i16]) -> u64 {
    let square = |sample: &i16| u64::from(sample.unsigned_abs()).pow(2);
    pcm.iter().map(square).sum::<u64>() / pcm.len().max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Encoder, FRAME, Pool};
    use crate::negotiated::OpusParameters;
    use crate::tone::{Sine, amplitude};

    const TICK: Duration = Duration::from_millis(20);

    /// Somebody who is heard, in one codec.
    struct Talker {
        voice: VoiceActivity,
        codec: Codec,
        encoder: Encoder,
        now: Time,
    }

    impl Talker {
        fn new(codec: Codec) -> Talker {
            let encoder = Pool::default().encoder(codec, RATE, &OpusParameters::default());
            Talker {
                voice: VoiceActivity::default(),
                codec,
                encoder: encoder.unwrap(),
                now: Time::from_secs(1),
            }
        }

        /// Changes that so many frames of a tone of that level bring about.
        fn speak(&mut self, frames: u32, dbm0: f32) -> Vec<bool> {
            let mut sine = Sine::new(440.0, amplitude(dbm0));
            let mut changes = Vec::new();
            for _ in 0..frames {
                let (mut pcm, mut payload) = ([0; FRAME], [0; 1_400]);
                sine.add(&mut pcm);
                let length = self.encoder.encode(&pcm, &mut payload).unwrap().unwrap();
                self.now += TICK;
                self.voice.handle_timeout(self.now);
                self.voice.packet(self.now, self.codec, &payload[..length]);
                changes.extend(self.voice.poll());
            }
            changes
        }
    }

    #[test]
    fn speech_begins_after_60_ms_and_ends_after_a_pause() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::Opus, Codec::G722] {
            let mut talker = Talker::new(codec);
            assert_eq!(talker.speak(50, -60.0), [], "{codec:?}: hum");
            assert_eq!(talker.speak(1, -20.0), [], "{codec:?}: a click");
            assert_eq!(talker.speak(50, -60.0), [], "{codec:?}: hum");
            assert_eq!(talker.speak(6, -20.0), [true], "{codec:?}");
            // A pause between words, and a word that is not so loud.
            assert_eq!(talker.speak(25, -60.0), [], "{codec:?}");
            assert_eq!(talker.speak(25, -36.0), [], "{codec:?}");
            assert_eq!(talker.speak(50, -60.0), [false], "{codec:?}");
        }
    }

    #[test]
    fn whoever_sends_nothing_any_more_has_stopped() {
        let mut talker = Talker::new(Codec::Pcmu);
        assert_eq!(talker.speak(5, -20.0), [true]);
        let (at, _) = talker.voice.deadline().unwrap();
        assert_eq!(at, talker.now + ENDS);
        talker.voice.handle_timeout(at);
        assert_eq!(
            (talker.voice.poll(), talker.voice.deadline()),
            (Some(false), None)
        );
    }
}
