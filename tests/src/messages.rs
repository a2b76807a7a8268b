//! Messages that tests and benches share.

/// The INVITE that JsSIP 3.13.8 in Chromium sends after its challenge, 4 kB, with the candidates of a machine with a VPN.
#[must_use]
pub fn jssip_invite() -> Vec<u8> {
    // lines end in LF in the repository
    include_str!("../messages/jssip-invite.sip")
        .replace('\n', "\r\n")
        .into_bytes()
}
