/// Octets that a slot holds without growing: speech at 24 to 64 kbit/s in packets of 20 ms, and more.
const ROOM: usize = 320;

/// A stored packet.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The sequence number that does not wrap; `None` while the slot is free.
    pub(super) sequence: Option<i64>,
    pub(super) timestamp: i64,
    pub(super) duration: i64,
    pub(super) payload: Vec<u8>,
}

/// A ring of packets by sequence number.
#[derive(Clone, Debug)]
pub(super) struct Slots(Vec<Slot>);

impl Slots {
    pub(super) fn new(count: usize) -> Slots {
        let free = || Slot {
            sequence: None,
            timestamp: 0,
            duration: 0,
            payload: Vec::with_capacity(ROOM),
        };
        Slots((0..count).map(|_| free()).collect())
    }

    pub(super) fn len(&self) -> i64 {
        self.0.len() as i64
    }

    pub(super) fn at(&self, index: usize) -> &Slot {
        &self.0[index]
    }

    /// Slot of a packet, if it is there.
    pub(super) fn find(&self, sequence: i64) -> Option<usize> {
        let index = self.index(sequence);
        (self.0[index].sequence == Some(sequence)).then_some(index)
    }

    /// The first packet from `from` to `to`: whatever is held of that range, however far it reaches.
    pub(super) fn first(&self, from: i64, to: i64) -> Option<usize> {
        if let Some(index) = self.find(from).filter(|_| from <= to) {
            return Some(index);
        }
        let held = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((slot.sequence?, index)));
        held.filter(|(sequence, _)| (from..=to).contains(sequence))
            .min()
            .map(|(_, index)| index)
    }

    /// Stores a packet in place of whatever was there.
    pub(super) fn put(&mut self, sequence: i64, timestamp: i64, duration: i64, payload: &[u8]) {
        let index = self.index(sequence);
        let slot = &mut self.0[index];
        slot.sequence = Some(sequence);
        slot.timestamp = timestamp;
        slot.duration = duration;
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
    }

    pub(super) fn free(&mut self, index: usize) {
        self.0[index].sequence = None;
    }

    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(|slot| slot.sequence = None);
    }

    fn index(&self, sequence: i64) -> usize {
        sequence.rem_euclid(self.len()) as usize
    }
}
