//! Alignment of heard audio with the speech. A gateway numbers its packets itself and may hold audio back, so
//! the sound decides: the heard audio is laid over the speech where it fits best. Latency is from sending the
//! packet with the sound to receiving the packet with the sound, whatever coding and buffering lies between.

use opus::{Channels, Decoder};

use super::party::{Heard, Party};
use super::speech::{FRAME, Speech, from_mu_law};
use super::{Codec, Outcome};

/// Packets that are compared at once: half a second.
const WINDOW: usize = 25;
/// Packets from one comparison to the next.
const STRIDE: usize = 50;
/// The longest latency that is looked for, in samples.
const FURTHEST: usize = 600 * 8;
/// The least correlation that counts as the same sound.
const ALIKE: f64 = 0.6;
/// Mean square under which there is no speech: 200 of 32,768.
const QUIET: f64 = 40_000.0;

/// Findings in one direction of one call.
#[derive(Default)]
pub(crate) struct Alignment {
    /// Latency of each packet, milliseconds.
    pub(crate) latency_ms: Vec<f64>,
    /// Heard level over said level, of each window.
    pub(crate) gain: Vec<f64>,
    /// Windows with sound in them, and those of them whose sound was the speech.
    pub(crate) windows: usize,
    pub(crate) found: usize,
}

impl Alignment {
    /// Adds the sound that `listener` heard of `speaker` from `from_ns` to `until_ns`.
    pub(crate) fn add(
        &mut self,
        speaker: &Party,
        listener: &Party,
        speech: &Speech,
        [from_ns, until_ns]: [i64; 2],
    ) -> Outcome<()> {
        let heard: Vec<&Heard> = listener.heard.iter().flatten().collect();
        let (packets, samples) = decode(&heard, listener.codec)?;
        for start in (0..packets.len().saturating_sub(STRIDE)).step_by(STRIDE) {
            let Some(first) = packets[start] else { continue };
            if first.at_ns < from_ns || first.at_ns > until_ns {
                continue;
            }
            let window = &samples[start * FRAME..(start + WINDOW) * FRAME];
            // The last frame that had been said when the window's first packet came.
            let said = speaker.sent_ns.partition_point(|sent| *sent <= first.at_ns);
            if said * FRAME < FURTHEST {
                continue;
            }
            let reference = |n: usize| speech.samples[speaker.frame(n / FRAME, speech) * FRAME + n % FRAME];
            let begin = said * FRAME - FURTHEST;
            let reference: Vec<f32> = (begin..said * FRAME + window.len()).map(reference).collect();
            if energy(window) < QUIET * window.len() as f64 {
                continue;
            }
            self.windows += 1;
            let Some(fit) = best_fit(&reference, window).filter(|fit| fit.likeness >= ALIKE) else {
                continue;
            };
            self.found += 1;
            self.gain.push(fit.gain);
            // A codec's own delay makes a packet begin with the end of the frame before: the packet's frame is the next.
            let frame = (begin + fit.at + FRAME - 8) / FRAME;
            for (index, packet) in packets.iter().enumerate().skip(start).take(STRIDE) {
                let sent = speaker.sent_ns.get(frame + index - start);
                if let (Some(packet), Some(sent)) = (packet, sent) {
                    self.latency_ms.push((packet.at_ns - sent) as f64 / 1e6);
                }
            }
        }
        Ok(())
    }
}

/// In the order of their numbers, a gap where one is missing; and their sound at 8 kHz.
fn decode<'a>(heard: &[&'a Heard], codec: Codec) -> Outcome<(Vec<Option<&'a Heard>>, Vec<f32>)> {
    let heard: Vec<_> = heard
        .iter()
        .filter(|packet| packet.payload_type == codec.payload_type())
        .collect();
    let Some(base) = heard.first().map(|packet| packet.sequence) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let mut packets: Vec<Option<&Heard>> = Vec::new();
    for packet in heard {
        // Runs are far shorter than the 65,536 after which numbers repeat.
        let place = usize::from(packet.sequence.wrapping_sub(base));
        if place < packets.len() + 1_000 {
            packets.resize(packets.len().max(place + 1), None);
            packets[place] = Some(packet);
        }
    }
    let mut samples = Vec::with_capacity(packets.len() * FRAME);
    let mut decoder = Decoder::new(8_000, Channels::Mono)?;
    for (index, packet) in packets.iter().enumerate() {
        match packet {
            None => {}
            Some(packet) if codec == Codec::Opus => {
                let mut frame = [0; FRAME * 6];
                let length = decoder.decode(&packet.payload, &mut frame, false)?;
                samples.extend(frame[..length].iter().copied().map(f32::from));
            }
            Some(packet) => samples.extend(packet.payload.iter().copied().map(from_mu_law)),
        }
        samples.resize((index + 1) * FRAME, 0.0);
    }
    Ok((packets, samples))
}

struct Fit {
    at: usize,
    likeness: f64,
    gain: f64,
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// Best fit of the window in `reference`; none if the reference is silent everywhere.
fn best_fit(reference: &[f32], window: &[f32]) -> Option<Fit> {
    let own = energy(window);
    let mut best: Option<Fit> = None;
    let mut level = energy(&reference[..window.len()]);
    for at in 0..=reference.len() - window.len() {
        if at > 0 {
            level +=
                f64::from(reference[at + window.len() - 1]).powi(2) - f64::from(reference[at - 1]).powi(2);
        }
        if level < QUIET * window.len() as f64 {
            continue;
        }
        let both = f64::from(product(&reference[at..at + window.len()], window));
        let likeness = both / (level * own.max(1.0)).sqrt();
        if best.as_ref().is_none_or(|best| likeness > best.likeness) {
            best = Some(Fit {
                at,
                likeness,
                gain: both / level,
            });
        }
    }
    best
}

/// Sum of products, in lanes that the compiler can make into vectors.
fn product(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for (left, right) in left.chunks_exact(16).zip(right.chunks_exact(16)) {
        for lane in 0..16 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lanes.iter().sum()
}

/// The value below which that share of the (sorted) values lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_delayed_and_quieter_copy() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 - 32_768.0
        };
        let reference: Vec<f32> = (0..10_000).map(|_| noise()).collect();
        let window: Vec<f32> = reference[1_234..5_234]
            .iter()
            .map(|sample| sample * 0.68)
            .collect();
        let fit = best_fit(&reference, &window).unwrap();
        assert_eq!(fit.at, 1_234);
        assert!(fit.likeness > 0.99 && (fit.gain - 0.68).abs() < 0.01);
        assert!(best_fit(&[0.0; 5_000], &window).is_none());
    }

    #[test]
    fn percentiles() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(
            (
                percentile(&values, 0.5),
                percentile(&values, 0.99),
                percentile(&values, 1.0)
            ),
            (50.0, 99.0, 99.0)
        );
        assert!(percentile(&[], 0.5).is_nan());
    }
}
