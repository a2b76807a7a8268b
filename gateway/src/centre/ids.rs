//! Ids of the API: a prefix and the engine's number, in Crockford's base 32.

use call_engine::acd::{AssignmentId, CallId};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A number as 13 characters that sort as it does.
fn write(number: u64) -> String {
    (0..13)
        .rev()
        .map(|place| char::from(ALPHABET[(number >> (5 * place)) as usize & 31]))
        .collect()
}

fn read(text: &str) -> Option<u64> {
    if text.len() != 13 {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)? as u64;
        number.checked_mul(32)?.checked_add(digit)
    })
}

/// A call's id.
pub(super) fn call(call: CallId) -> String {
    format!("call_{}", write(call.0))
}

/// The call that an id names.
pub(super) fn read_call(id: &str) -> Option<CallId> {
    read(id.strip_prefix("call_")?).map(CallId)
}

/// The id of a call's record.
pub(super) fn record(call: CallId) -> String {
    format!("rec_{}", write(call.0))
}

/// The id of the record of a call that came through no queue.
pub(super) fn direct_record(call: CallId) -> String {
    format!("dir_{}", write(call.0))
}

/// The id of the record of an assignment that its agent did not take.
pub(super) fn missed(assignment: AssignmentId) -> String {
    format!("mis_{}{}", write(assignment.epoch), write(assignment.number))
}

/// An assignment's id.
pub(super) fn assignment(assignment: AssignmentId) -> String {
    format!("off_{}{}", write(assignment.epoch), write(assignment.number))
}

/// The assignment that an id names.
pub(super) fn read_assignment(id: &str) -> Option<AssignmentId> {
    let (epoch, number) = id.strip_prefix("off_")?.split_at_checked(13)?;
    Some(AssignmentId {
        epoch: read(epoch)?,
        number: read(number)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_sort_as_their_numbers_do() {
        let numbers = [0, 1, 31, 32, 1_795_392_000_000_000, u64::MAX];
        for number in numbers {
            assert_eq!(read_call(&call(CallId(number))), Some(CallId(number)));
            let id = AssignmentId { epoch: 7, number };
            assert_eq!(read_assignment(&assignment(id)), Some(id));
        }
        assert!(
            numbers
                .windows(2)
                .all(|two| call(CallId(two[0])) < call(CallId(two[1])))
        );
        for wrong in [
            "",
            "call_",
            "call_zzzzzzzzzzzzz",
            "call_000000000000",
            "off_0",
            "call_ééééééé",
            "off_ééééééééééééé",
        ] {
            assert_eq!(
                (read_call(wrong), read_assignment(wrong)),
                (None, None),
                "{wrong}"
            );
        }
    }
}
