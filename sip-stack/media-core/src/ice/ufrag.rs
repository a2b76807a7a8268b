//! The user name fragment that says which shard and which leg a STUN check is for.

use sans_io::Rng;

use crate::control::LegId;

/// ice-chars in order of the six bits they stand for (RFC 8839 §5.4).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of the shard, of the leg, and of what nobody can guess (RFC 8445 §5.3 asks for 24 bits).
const SHARD: usize = 2;
const LEG: usize = 11;
const RANDOM: usize = 6;

/// A user name fragment for a leg on a shard: its name in 13 characters, then 34 random bits.
#[must_use]
pub fn ufrag(shard: u8, leg: LegId, rng: &mut Rng) -> String {
    let mut text = String::with_capacity(SHARD + LEG + RANDOM);
    write(&mut text, u64::from(shard), SHARD);
    write(&mut text, leg.0, LEG);
    text.push_str(&rng.token(RANDOM));
    text
}

/// The shard and the leg that [`ufrag`] wrote into `ufrag`; `None` when it was not made there.
#[must_use]
pub fn parse_ufrag(ufrag: &str) -> Option<(u8, LegId)> {
    let text = ufrag.as_bytes();
    if text.len() != SHARD + LEG + RANDOM {
        return None;
    }
    let shard = u8::try_from(read(&text[..SHARD])?).ok()?;
    let leg = u64::try_from(read(&text[SHARD..SHARD + LEG])?).ok()?;
    Some((shard, LegId(leg)))
}

fn write(text: &mut String, value: u64, digits: usize) {
    for place in (0..digits).rev() {
        text.push(char::from(DIGITS[(value >> (6 * place)) as usize & 63]));
    }
}

fn read(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, &digit| {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(value << 6 | u128::from(six))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_shard_and_leg() {
        let mut rng = Rng::seeded(1);
        for shard in [0, 1, 63, 64, 255] {
            for leg in [0, 1, 64, u64::from(u32::MAX), u64::MAX] {
                let name = ufrag(shard, LegId(leg), &mut rng);
                assert_eq!(parse_ufrag(&name), Some((shard, LegId(leg))), "{name}");
            }
        }
        assert_ne!(ufrag(0, LegId(7), &mut rng), ufrag(0, LegId(7), &mut rng));
    }

    #[test]
    fn refuses_what_it_did_not_make() {
        for name in [
            "",
            "abcd",
            "AAAAAAAAAAAAA",
            "AA/////////////////",
            "//AAAAAAAAAAAabcdef",
            "AAAAAAAA:AAAAabcdef",
        ] {
            assert_eq!(parse_ufrag(name), None, "{name}");
        }
    }
}
