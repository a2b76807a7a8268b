use smallvec::SmallVec;

use crate::message::{HeaderName, Message, Method};

/// Key that tells server transactions apart (RFC 3261 §17.2.3): branch, sent-by and method, with the method
/// of ACK being INVITE. Other requests also by their CSeq number, which a copy keeps: there are clients that give all of them the same
/// branch. Kept as one string of bytes in an ordered map, which no choice of branches can unbalance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(SmallVec<[u8; 96]>);

impl Key {
    /// Key of a request. `None` if it lacks the fields.
    #[must_use]
    pub fn of(request: &Message) -> Option<Key> {
        Key::with_method(request, request.method()?)
    }

    /// Key of the INVITE that a CANCEL is about (§9.2).
    #[must_use]
    pub fn cancelled(cancel: &Message) -> Option<Key> {
        Key::with_method(cancel, &Method::Invite)
    }

    /// Key, as by [`Key::merged`], of the INVITE that a CANCEL with another branch than it is about: clients that make a branch for each
    /// request are told by Call-ID, From tag and CSeq, as those of RFC 2543 are.
    #[must_use]
    pub fn cancelled_call(cancel: &Message) -> Option<Key> {
        let invite = format!("{} INVITE", cancel.cseq().number);
        Key::outside(cancel, &invite)
    }

    /// Key of a request that came here by two ways when a proxy forked it (§8.2.2.2): From tag, Call-ID and
    /// CSeq; and the user part of its Request-URI, since branches to two of our users are two calls here, which may both
    /// ring.
    #[must_use]
    pub fn merged(request: &Message) -> Option<Key> {
        Key::outside(request, request.header(HeaderName::CSeq)?)
    }

    fn outside(request: &Message, cseq: &str) -> Option<Key> {
        let mut key = Key(SmallVec::new());
        let uri = request.uri()?;
        match uri.user_unescaped() {
            Some(user) => key.push(&user),
            None => key.push(""),
        }
        key.push(request.from().tag().unwrap_or(""));
        key.push(request.call_id());
        key.push(cseq);
        Some(key)
    }

    /// Octets of the key.
    #[must_use]
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    fn with_method(request: &Message, method: &Method) -> Option<Key> {
        let via = request.top_via()?;
        let method = if *method == Method::Ack {
            &Method::Invite
        } else {
            method
        };
        let mut key = Key(SmallVec::new());
        if let Some(branch) = via.transaction_branch() {
            key.push_lower(branch);
            key.push_lower(via.host_text());
            key.0.extend_from_slice(&via.port_or_default().to_be_bytes());
            if *method != Method::Invite {
                key.0.extend_from_slice(&request.cseq().number.to_be_bytes());
            }
            key.push(method.as_str());
            return Some(key);
        }
        // RFC 2543 peers: Request-URI, From tag, Call-ID, CSeq number and top Via. The To tag of an ACK is the one we
        // chose, so it is not compared.
        key.push(request.request_uri()?);
        key.push(request.from().tag().unwrap_or(""));
        key.push(request.call_id());
        key.0.extend_from_slice(&request.cseq().number.to_be_bytes());
        key.push(via.sent_by);
        key.push(via.branch().unwrap_or(""));
        key.push(method.as_str());
        Some(key)
    }

    fn push(&mut self, part: &str) {
        self.0.extend_from_slice(part.as_bytes());
        self.0.push(0);
    }

    /// Branches are tokens and hosts are names: both compare without regard to case.
    fn push_lower(&mut self, part: &str) {
        self.0.extend(part.bytes().map(|byte| byte.to_ascii_lowercase()));
        self.0.push(0);
    }
}
