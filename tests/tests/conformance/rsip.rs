//! Messages that `rsip` and we both accept mean the same, over every corpus; the fuzz target `message` checks
//! the same of its inputs.

use cordboard_tests::{corpora, fuzz};
use sip_core::message::interop;

#[test]
fn what_both_accept_means_the_same() {
    let mut messages = fuzz::message::seeds();
    if let Some(folder) = corpora::folder("protos-c07-sip", "the PROTOS suite beside rsip") {
        messages.extend(
            corpora::unpack(&folder.join("wire-invite.tar.xz"))
                .into_iter()
                .map(|(_, octets)| octets),
        );
    }
    for message in &messages {
        let found = interop::differences(message);
        assert!(found.is_empty(), "{found:?} in {}", message.escape_ascii());
    }
}
