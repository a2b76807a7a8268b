use std::time::Duration;

use sans_io::Time;

use super::{Count, Feed};
use crate::codec::{Decoder, FRAME, RATE, WIDE};
use crate::negotiated::Codec;
use crate::rtp::Packet;

/// Time without packets after which the next one begins anew.
const REST: Duration = Duration::from_secs(1);

/// Sound of one direction of a tapped leg: packets in as they come, 20 ms out at a time, with losses made up. It is told the time,
/// and may live on any thread.
#[derive(Debug)]
pub struct Playout {
    rate: u32,
    feed: Option<Box<Feed>>,
    heard: Option<Time>,
    count: Count,
    pcm: [i16; 2 * FRAME],
}

impl Playout {
    /// Sound at 8,000 or 16,000 samples a second, whichever is nearer below; G.711 has 8,000 in any case ([`Playout::rate`]).
    #[must_use]
    pub fn new(rate: u32) -> Playout {
        Playout {
            rate: if rate >= WIDE { WIDE } else { RATE },
            feed: None,
            heard: None,
            count: Count::default(),
            pcm: [0; 2 * FRAME],
        }
    }

    /// Takes an RTP packet that was tapped at that time; ignores what is none.
    pub fn insert(&mut self, at: Time, codec: Codec, data: &[u8]) {
        let Ok(packet) = Packet::parse(data) else { return };
        if self.feed.as_ref().is_none_or(|feed| feed.codec() != codec) {
            let decoder = Decoder::new(codec, self.rate).ok();
            self.feed = decoder.map(|decoder| Box::new(Feed::with(decoder, true)));
        }
        if let Some(feed) = &mut self.feed {
            feed.insert_paced(at, &packet);
            self.heard = Some(at);
        }
    }

    /// The 20 ms that are due at that time, for which it must be asked every 20 ms. `None`: silence, for nothing came yet or for
    /// more than a second.
    pub fn pull(&mut self, at: Time) -> Option<&[i16]> {
        let feed = self.feed.as_mut()?;
        let length = feed.pull(at, &mut self.pcm, &mut self.count)?;
        if feed.hushed && self.heard.is_none_or(|heard| at.since(heard) > REST) {
            feed.rest();
        }
        self.pcm.get(..length)
    }

    /// Samples a second of what [`Playout::pull`] gave last; 0 before the first packet.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.feed.as_ref().map_or(0, |feed| feed.rate())
    }

    /// Samples that were made up for lost ones, at 8 kHz.
    #[must_use]
    pub fn concealed(&self) -> u64 {
        self.count.concealed
    }
}
