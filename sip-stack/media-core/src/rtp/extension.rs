//! Header extensions (RFC 8285), of which we read one element at a time.

use super::HEADER;

/// Element `id` of a packet's header extension, in the form with one octet before each or with two; `None` if the packet
/// has none, or is none.
#[must_use]
pub fn extension(data: &[u8], id: u8) -> Option<&[u8]> {
    let first = *data.first()?;
    if first & 0x10 == 0 {
        return None;
    }
    let start = HEADER + 4 * usize::from(first & 0x0f);
    let [profile @ .., high, low] = data.get(start..start + 4)?.first_chunk::<4>()?;
    let length = 4 * usize::from(u16::from_be_bytes([*high, *low]));
    let mut rest = data.get(start + 4..start + 4 + length)?;
    // §4.2 and §4.3.
    let two_octets = match profile {
        [0xbe, 0xde] => false,
        [0x10, last] if last & 0xf0 == 0 => true,
        _ => return None,
    };
    while let [head, after @ ..] = rest {
        if *head == 0 {
            // Padding.
            rest = after;
            continue;
        }
        let (element, length, after) = if two_octets {
            let [length, after @ ..] = after else { return None };
            (*head, usize::from(*length), after)
        } else if head >> 4 == 15 {
            // Nothing that follows may be read.
            return None;
        } else {
            (head >> 4, usize::from(head & 0x0f) + 1, after)
        };
        let value = after.get(..length)?;
        if element == id {
            return Some(value);
        }
        rest = &after[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(profile: [u8; 2], elements: &[u8]) -> Vec<u8> {
        let mut data = vec![0x91, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7];
        data.extend([1, 2, 3, 4]);
        data.extend(profile);
        let padded = elements.len().div_ceil(4) * 4;
        data.extend((padded as u16 / 4).to_be_bytes());
        data.extend_from_slice(elements);
        data.resize(data.len() + padded - elements.len(), 0);
        data.extend([9; 5]);
        data
    }

    #[test]
    fn elements_of_both_forms_are_found_behind_others_and_padding() {
        let one = packet([0xbe, 0xde], &[0x10, 0xaa, 0, 0x42, b'a', b'b', b'c']);
        assert_eq!(extension(&one, 4), Some(&b"abc"[..]));
        assert_eq!(extension(&one, 1), Some(&[0xaa][..]));
        assert_eq!(extension(&one, 2), None);
        let two = packet([0x10, 0x03], &[1, 0, 0, 20, 2, b'x', b'y']);
        assert_eq!(extension(&two, 20), Some(&b"xy"[..]));
        assert_eq!(extension(&two, 1), Some(&[][..]));
    }

    #[test]
    fn nothing_is_read_beyond_the_extension_or_behind_its_end() {
        assert_eq!(
            extension(&packet([0xbe, 0xde], &[0x4f, 1, 2, 3]), 4),
            None,
            "too long"
        );
        assert_eq!(extension(&packet([0xbe, 0xde], &[0xf0, 0, 0x40, 7]), 4), None);
        assert_eq!(extension(&packet([0xaa, 0xaa], &[0x40, 7]), 4), None);
        let whole = packet([0xbe, 0xde], &[0x40, 7]);
        for cut in 0..20 {
            assert_eq!(extension(&whole[..cut], 4), None, "{cut}");
        }
        assert_eq!(extension(&[0x80; 40], 4), None);
    }
}
