//! Audio from code into a party's ear.

use media_core::control::SoundRate;
use tokio::time::interval;

use super::{AudioStream, FRAME, Owner, Running};
use crate::media::MediaInjection;

/// Frames that are ahead of what is heard, so that a late callback leaves no gap.
const LEAD: u32 = 3;

/// Lets a party hear what `source` writes into the 20 ms frames that it is given, one after the other; false ends it.
pub(crate) fn send(
    injection: MediaInjection,
    rate: SoundRate,
    source: impl FnMut(&mut [i16]) -> bool + Send + 'static,
) -> AudioStream {
    AudioStream(Running::start(|owner| run(injection, rate, source, owner)))
}

async fn run(
    mut injection: MediaInjection,
    rate: SoundRate,
    mut source: impl FnMut(&mut [i16]) -> bool,
    mut owner: Owner,
) {
    let mut frame = vec![0; rate.hertz() as usize / 50];
    let mut every = interval(FRAME);
    // Frames that may be given at once: the lead at first, then one each time.
    let mut due = LEAD;
    // Counted down once there are no more: what waits is still heard.
    let mut rest = None;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = owner.gone() => return,
        }
        if injection.is_over() || rest == Some(0) {
            return;
        }
        rest = rest.map(|rest| rest - 1);
        while rest.is_none() && due > 0 && injection.room() >= frame.len() {
            frame.fill(0);
            if source(&mut frame) {
                injection.write(&frame);
                due -= 1;
            } else {
                rest = Some(LEAD + 2);
            }
        }
        due = (due + 1).min(LEAD);
    }
}
