//! Documents about mailboxes.

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "summary",
    seeds,
    words: &[
        "Messages-Waiting",
        "Message-Account",
        "Voice-Message",
        "Fax-Message",
        "Text-Message",
        "None",
        "yes",
        "no",
        ":",
        "/",
        "(",
        ")",
        "4294967295",
        "\r\n",
        "\r\n\r\n",
        " ",
    ],
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let documents = [
        "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 2/8 (0/2)\r\n",
        "messages-waiting:no\r\nFax-Message: 0/0\r\n\r\nTo: <alice@example.com>\r\nPriority: normal\r\n",
    ];
    documents.map(|document| document.as_bytes().to_vec()).to_vec()
}

/// A document is read or refused; one that is read is written so that it reads back as the same.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(written) = session_core::rewrite_summary(text) {
        let again = session_core::rewrite_summary(&written);
        assert_eq!(again.as_deref(), Some(written.as_str()));
    }
}
