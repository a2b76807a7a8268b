use sans_io::Time;

use crate::flow::{Flow, Transport};
use crate::message::{Contact, HeaderName, Message};
use crate::uri::Uri;

/// One contact of a user.
#[derive(Clone, Debug)]
pub struct Binding {
    pub(super) id: u64,
    /// The `Contact` value as the client wrote it.
    pub contact: String,
    /// Its URI: the Request-URI of requests to it. Its host may be a name under `.invalid` that nobody can resolve.
    pub uri: Uri,
    /// The way to it, which is to be taken whatever the URI says.
    pub flow: Flow,
    /// `Path`, for the `Route` of requests to it (RFC 3327).
    pub path: Vec<String>,
    /// Preference in thousandths; 1000 if it did not say.
    pub q: u16,
    /// `+sip.instance`, without brackets.
    pub instance: Option<String>,
    /// `reg-id` (RFC 5626).
    pub reg_id: Option<u32>,
    /// Time at which it ends.
    pub expires: Time,
    /// `User-Agent` of the REGISTER.
    pub user_agent: Option<String>,
    /// True if its client offered DTLS-SRTP in its last call, false for plain RTP; `None` while it has made none.
    pub offers_dtls: Option<bool>,
    pub(super) call_id: String,
    pub(super) cseq: u32,
}

impl Binding {
    pub(super) fn new(
        id: u64,
        contact: String,
        expires: Time,
        flow: Flow,
        request: &Message,
    ) -> Option<Binding> {
        let parsed = Contact::parse(&contact)?;
        let (uri, q) = (parsed.uri()?.to_uri(), parsed.q().unwrap_or(1000));
        let (instance, reg_id) = (parsed.instance().map(str::to_owned), parsed.reg_id());
        Some(Binding {
            id,
            contact,
            uri,
            flow,
            path: request.headers(HeaderName::Path).map(str::to_owned).collect(),
            q,
            instance,
            reg_id,
            expires,
            user_agent: request.header(HeaderName::UserAgent).map(str::to_owned),
            offers_dtls: None,
            call_id: request.call_id().to_owned(),
            cseq: request.cseq().number,
        })
    }

    /// True if a call to it is to offer DTLS-SRTP: as its client offers itself, or, while that made no call,
    /// if it is a browser: a client that comes over WebSocket, or says so in a `Contact` that a proxy passed
    /// on over something else.
    #[must_use]
    pub fn takes_dtls(&self) -> bool {
        let names_websocket = || {
            self.uri
                .transport()
                .is_some_and(|name| name.eq_ignore_ascii_case("ws") || name.eq_ignore_ascii_case("wss"))
        };
        let websocket = matches!(self.flow.transport, Transport::Ws | Transport::Wss);
        self.offers_dtls.unwrap_or_else(|| websocket || names_websocket())
    }

    /// RFC 5626 §6: instance and reg-id name a binding whatever its URI; without both of them the URI does.
    pub(super) fn is_at(&self, contact: &Contact<'_>) -> bool {
        match (contact.instance(), contact.reg_id()) {
            (Some(instance), Some(reg_id)) if self.reg_id.is_some() => {
                self.instance.as_deref() == Some(instance) && self.reg_id == Some(reg_id)
            }
            _ => contact.uri().is_some_and(|uri| uri.same(self.uri.borrow())),
        }
    }

    /// The other takes the place of this one.
    pub(super) fn is_same(&self, other: &Binding) -> bool {
        Contact::parse(&other.contact).is_some_and(|contact| self.is_at(&contact))
    }

    /// `Contact` of the 200: verbatim, since clients find themselves in it by their own means, with the time left in
    /// `expires`, without which SIP.js counts itself unregistered.
    pub(super) fn echo(&self, now: Time) -> String {
        let left = self.expires.since(now).as_micros().div_ceil(1_000_000);
        let params = Contact::parse(&self.contact)
            .and_then(|contact| contact.address())
            .map_or("", |address| address.params.as_str());
        let head = &self.contact.trim_end()[..self.contact.trim_end().len() - params.len()];
        let mut out = head.to_owned();
        for param in split_params(params) {
            if !name_of(param).eq_ignore_ascii_case("expires") {
                out.push(';');
                out.push_str(param);
            }
        }
        out.push_str(&format!(";expires={left}"));
        out
    }
}

/// Parameters as written, without the `;` before each.
fn split_params(params: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    params
        .split(move |c| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ';' => return !quoted,
                _ => {}
            }
            false
        })
        .skip(1)
}

fn name_of(param: &str) -> &str {
    param.split('=').next().unwrap_or("").trim()
}
