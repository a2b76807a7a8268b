//! Ids of calls, legs and bridges: unique across the nodes of a cluster and the lives of a node.

use sans_io::Time;

/// Seconds from 1970 to 2026, before which no node was started.
const EPOCH: u64 = 1_767_225_600;

/// Bits of the counter: a node that uses more than a million ids in each second of its life would meet those of its next life.
const COUNTER: u32 = 20;

/// Bits of the time of the start: enough until 2162.
const START: u32 = 32;

/// [`Config::first_id`](crate::Config::first_id) of a node, 0 to 4,095, that starts at `started`: the node's number, the second of
/// the start, and a counter from 0.
#[must_use]
pub fn first_id(node: u16, started: Time) -> u64 {
    let seconds = (started.as_micros() / 1_000_000).saturating_sub(EPOCH);
    let start = seconds & ((1 << START) - 1);
    (u64::from(node) << (COUNTER + START)) | (start << COUNTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_lives_have_ids_of_their_own() {
        let at = |seconds: u64| Time::from_secs(EPOCH + seconds);
        assert_eq!(first_id(0, at(0)), 0);
        assert_eq!(first_id(0, at(1)), 1 << 20);
        assert_eq!(first_id(1, at(0)), 1 << 52);
        assert_eq!(
            first_id(4_095, at(u64::from(u32::MAX))),
            u64::MAX - ((1 << 20) - 1)
        );
        let mut starts: Vec<u64> = (0..4_096)
            .flat_map(|node| [0, 1, 31_536_000].map(|seconds| first_id(node, at(seconds))))
            .collect();
        starts.sort_unstable();
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 1 << 20));
    }

    #[test]
    fn ids_of_one_node_are_exact_in_javascript() {
        let in_2060 = Time::from_secs(2_840_140_800);
        assert!(first_id(0, in_2060) < 1 << 53);
    }
}
