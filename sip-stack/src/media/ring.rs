//! Packets in a ring of octets.

use rtrb::Producer;

/// Puts a packet that consists of two parts into a ring, all of it at once; false if there is no room.
pub(super) fn put(ring: &mut Producer<u8>, parts: [&[u8]; 2]) -> bool {
    let Ok(mut chunk) = ring.write_chunk(parts[0].len() + parts[1].len()) else {
        return false;
    };
    let (mut front, mut back) = chunk.as_mut_slices();
    for part in parts {
        // The room ends in the midst of it, or goes on at the start of the ring.
        let (fits, rest) = part.split_at(part.len().min(front.len()));
        front[..fits.len()].copy_from_slice(fits);
        front = &mut front[fits.len()..];
        if front.is_empty() {
            back[..rest.len()].copy_from_slice(rest);
            front = &mut back[rest.len()..];
            back = &mut [];
        }
    }
    chunk.commit_all();
    true
}
