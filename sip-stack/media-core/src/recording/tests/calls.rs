//! Many calls with transfers and holds, over a network that delays and loses.

use super::*;

/// Parts of a call: what our side does to it.
#[derive(Clone, Copy, Debug)]
enum Part {
    Talk,
    /// Our side sends nothing, and goes on as it was.
    Hold,
    /// Another phone of ours goes on.
    Transfer,
}

/// The packets of a call of three parts, and the milliseconds from its first sound to the end of its last.
fn call(rng: &mut Rng, parts: [Part; 3]) -> (Vec<Tapped>, u64) {
    let begins = rng.below(50) * 20_000;
    let far_ppm = rng.below(400) as i64 - 200;
    let mut far = Sender::new(Channel::Far, begins, far_ppm);
    let mut ours = Sender::new(Channel::Ours, begins, -far_ppm);
    let (mut packets, mut number) = (Vec::new(), 0);
    for part in parts {
        if let Part::Transfer = part {
            ours.header.ssrc = rng.u32();
            ours.header.timestamp = rng.u32();
            ours.header.sequence = rng.u32() as u16;
        }
        let length = 25 + rng.below(75);
        for _ in 0..length {
            number += 1;
            // The first and the last are never lost, so that everybody agrees on the length.
            let is_lost = rng.percent(2) && number > 1;
            let packet = far.say(&[500; FRAME], rng.below(15_000));
            if !is_lost {
                packets.push(packet);
            }
            match part {
                Part::Hold => ours.pass(1),
                Part::Talk | Part::Transfer => packets.push(ours.say(&[900; FRAME], rng.below(15_000))),
            }
        }
    }
    packets.push(far.say(&[500; FRAME], 0));
    (packets, (number + 1) * 20)
}

#[test]
fn calls_with_transfers_and_holds_have_their_length_to_20_ms() {
    let mut rng = Rng::seeded(11);
    for n in 0..200 {
        let middle = match n % 10 {
            0 | 1 => Part::Transfer,
            2 => Part::Hold,
            _ => Part::Talk,
        };
        let (packets, millis) = call(&mut rng, [Part::Talk, middle, Part::Talk]);
        let [left, right] = record(
            packets,
            RecorderSettings {
                silences_digits: false,
                ..NARROW
            },
        );
        assert_eq!(left.len(), right.len());
        let length = left.len() as u64 / 8;
        assert!(
            length.abs_diff(millis) <= 20,
            "{n}: {length} ms of {millis} ms, {middle:?}"
        );
        // All that was said is there, but for losses at the edges of a part.
        let heard = left.iter().filter(|sample| **sample != 0).count();
        assert!(heard * 100 > left.len() * 97, "{n}: {heard} of {}", left.len());
    }
}
