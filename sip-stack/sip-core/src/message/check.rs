use super::fields::CSeq;
use super::params::Commas;
use super::{Contact, Defect, HeaderName, Message, NameAddr, Start, Via, limits};
use crate::uri::UriRef;

/// Checks a received message.
pub(super) fn received(message: &Message) -> Result<(), Defect> {
    if let Start::Request { uri, .. } = &message.start {
        request_uri(message.text.octets(*uri))?;
    }
    let vias = fields(message)?;
    match vias {
        0 => Err(Defect::Missing(HeaderName::Via)),
        count if count > limits::VIAS => Err(Defect::TooManyVias),
        _ => Ok(()),
    }
}

/// Checks every message; returns the number of `Via` values.
pub(super) fn fields(message: &Message) -> Result<usize, Defect> {
    let mut seen = Seen::default();
    for slot in &message.slots {
        if !is_checked(slot.id) {
            continue;
        }
        let text = message.text.str(slot.value);
        if slot.id == HeaderName::Via {
            // only the topmost is ours to read
            seen.vias += if seen.vias == 0 {
                value(HeaderName::Via, text).map(|()| count(text))?
            } else {
                count(text)
            };
            continue;
        }
        if let Some(field) = seen.single(slot.id)
            && std::mem::replace(field, true)
        {
            return Err(Defect::Repeated(slot.id));
        }
        value(slot.id, text)?;
        if slot.id == HeaderName::CSeq
            && let Start::Request { method, .. } = &message.start
            && CSeq::split(text).is_some_and(|(_, name)| name != method.as_str())
        {
            return Err(Defect::MethodMismatch {
                known: !matches!(method, super::Method::Other(_)),
            });
        }
    }
    match seen {
        Seen { from: false, .. } => Err(Defect::Missing(HeaderName::From)),
        Seen { to: false, .. } => Err(Defect::Missing(HeaderName::To)),
        Seen { call_id: false, .. } => Err(Defect::Missing(HeaderName::CallId)),
        Seen { cseq: false, .. } => Err(Defect::Missing(HeaderName::CSeq)),
        Seen { vias, .. } => Ok(vias),
    }
}

#[derive(Default)]
struct Seen {
    from: bool,
    to: bool,
    call_id: bool,
    cseq: bool,
    max_forwards: bool,
    content_length: bool,
    content_type: bool,
    vias: usize,
}

impl Seen {
    /// Fields of which a second one leaves open which of the two is meant (RFC 4475 §3.3.8).
    fn single(&mut self, id: HeaderName) -> Option<&mut bool> {
        match id {
            HeaderName::From => Some(&mut self.from),
            HeaderName::To => Some(&mut self.to),
            HeaderName::CallId => Some(&mut self.call_id),
            HeaderName::CSeq => Some(&mut self.cseq),
            HeaderName::MaxForwards => Some(&mut self.max_forwards),
            HeaderName::ContentLength => Some(&mut self.content_length),
            HeaderName::ContentType => Some(&mut self.content_type),
            _ => None,
        }
    }
}

fn count(list: &str) -> usize {
    if list.contains(',') {
        Commas::split(list).count()
    } else {
        1
    }
}

/// A Request-URI may have no headers (RFC 3261 §19.1.1, table 1).
pub(super) fn request_uri(uri: &[u8]) -> Result<(), Defect> {
    let uri = std::str::from_utf8(uri).map_err(|_| Defect::RequestUri)?;
    match UriRef::parse(uri) {
        Ok(uri) if uri.headers().is_none() => Ok(()),
        _ => Err(Defect::RequestUri),
    }
}

/// True for the fields that [`value`] or [`Seen`] has something to say about.
fn is_checked(id: HeaderName) -> bool {
    use HeaderName::*;
    matches!(
        id,
        Via | From
            | To
            | CallId
            | CSeq
            | MaxForwards
            | Contact
            | Route
            | RecordRoute
            | Path
            | ContentLength
            | ContentType
    )
}

/// Checks the value of one field. Of `Via` only the first of a list is checked.
pub(super) fn value(id: HeaderName, text: &str) -> Result<(), Defect> {
    let ok = match id {
        HeaderName::Via => Commas::split(text)
            .next()
            .is_some_and(|first| Via::parse(first).is_some()),
        // a tag without value would stand before the one that a response adds
        HeaderName::From | HeaderName::To => {
            NameAddr::parse(text).is_some_and(|address| address.param("tag") != Some(""))
        }
        HeaderName::CallId => !text.is_empty() && !text.contains([' ', '\t']),
        HeaderName::CSeq => CSeq::split(text).is_some(),
        // RFC 3261 §20.22
        HeaderName::MaxForwards => super::fields::delta_seconds(text).is_some_and(|hops| hops <= 255),
        HeaderName::Contact => Commas::split(text).all(|one| Contact::parse(one).is_some()),
        // An empty one is no route; there are clients that write it.
        HeaderName::Route | HeaderName::RecordRoute if text.is_empty() => true,
        HeaderName::Route | HeaderName::RecordRoute | HeaderName::Path => {
            Commas::split(text).all(|one| NameAddr::parse(one).is_some())
        }
        _ => true,
    };
    if ok { Ok(()) } else { Err(Defect::Malformed(id)) }
}
