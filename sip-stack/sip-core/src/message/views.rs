use bytes::Bytes;

use super::fields::{self, CSeq, RAck, Replaces, SessionExpires, Token};
use super::params::Commas;
use super::{
    AuthParams, Contact, HeaderName, Message, Method, NameAddr, Params, Start, StartLine, StatusCode, Via,
};
use crate::uri::UriRef;

/// Start line and body.
impl Message {
    /// The start line.
    #[must_use]
    pub fn start_line(&self) -> StartLine<'_> {
        match &self.start {
            Start::Request { method, uri } => StartLine::Request {
                method,
                uri: self.text.str(*uri),
            },
            Start::Response { code, reason } => StartLine::Response {
                code: *code,
                reason: self.text.str(*reason),
            },
        }
    }

    /// True for a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request. [`Message::cseq`] has that of either.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// True for a request of this method.
    #[must_use]
    pub fn is(&self, method: &Method) -> bool {
        self.method() == Some(method)
    }

    /// The status code of a response, 100 to 699.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(code),
        }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self.start_line() {
            StartLine::Request { .. } => "",
            StartLine::Response { reason, .. } => reason,
        }
    }

    /// The Request-URI as written.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        self.uri().map(UriRef::as_str)
    }

    /// The Request-URI, taken apart.
    #[must_use]
    pub fn uri(&self) -> Option<UriRef<'_>> {
        match self.start_line() {
            StartLine::Request { uri, .. } => UriRef::parse(uri).ok(),
            StartLine::Response { .. } => None,
        }
    }

    /// The body; empty when there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match &self.new_body {
            Some(body) => body,
            None => self.text.octets(self.body),
        }
    }

    /// The body, shared with this message.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        match &self.new_body {
            Some(body) => body.clone(),
            None => self.text.share(self.body),
        }
    }
}

/// Header fields as text. Values are unfolded and trimmed.
impl Message {
    /// The value of the first field of this name: the whole line's, when it is a list.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.lines(name).next()
    }

    /// The values of all fields of this name, lists taken apart where the grammar allows them.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &str> + Clone {
        let is_list = name.is_list();
        self.lines(name).flat_map(move |value| {
            if is_list {
                Commas::split(value)
            } else {
                Commas::whole(value)
            }
        })
    }

    /// The values of all fields of this name, a line each.
    pub fn lines(&self, name: HeaderName) -> impl Iterator<Item = &str> + Clone {
        let slots = self
            .slots
            .iter()
            .filter(move |slot| slot.id == name && name != HeaderName::Other);
        slots.map(|slot| self.text.str(slot.value))
    }

    /// The value of the first field of this name, in any case; long and compact names are the same.
    #[must_use]
    pub fn header_named<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers_named(name).next()
    }

    /// The values of all fields of this name, a line each.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + Clone {
        let id = HeaderName::of(name);
        let wanted = move |slot: &&super::text::Slot| {
            slot.id == id && (id != HeaderName::Other || self.text.name(slot).eq_ignore_ascii_case(name))
        };
        self.slots
            .iter()
            .filter(wanted)
            .map(|slot| self.text.str(slot.value))
    }

    /// Every field in order: header, its name as written, its value.
    pub fn fields(&self) -> impl Iterator<Item = (HeaderName, &str, &str)> + Clone {
        self.slots
            .iter()
            .map(|slot| (slot.id, self.text.name(slot), self.text.str(slot.value)))
    }

    /// True when a list field of option tags, methods or the like has this entry, in any case.
    #[must_use]
    pub fn lists(&self, name: HeaderName, entry: &str) -> bool {
        self.headers(name).any(|one| one.eq_ignore_ascii_case(entry))
    }
}

/// Typed views. A field that does not follow its grammar counts as absent, unless said otherwise.
impl Message {
    /// The topmost `Via`. Every received message has one.
    #[must_use]
    pub fn top_via(&self) -> Option<Via<'_>> {
        Via::parse(self.headers(HeaderName::Via).next()?)
    }

    /// Every `Via` that can be read, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> + Clone {
        self.headers(HeaderName::Via).filter_map(Via::parse)
    }

    /// Number of `Via` values.
    #[must_use]
    pub fn via_count(&self) -> usize {
        self.headers(HeaderName::Via).count()
    }

    /// `From`
    #[must_use]
    pub fn from(&self) -> NameAddr<'_> {
        self.mandatory_address(HeaderName::From)
    }

    /// `To`
    #[must_use]
    pub fn to(&self) -> NameAddr<'_> {
        self.mandatory_address(HeaderName::To)
    }

    fn mandatory_address(&self, name: HeaderName) -> NameAddr<'_> {
        // there is one: parser, builder and edits see to it
        let blank = NameAddr {
            display: "",
            uri: UriRef::BLANK,
            params: Params::new(""),
        };
        self.header(name).and_then(NameAddr::parse).unwrap_or(blank)
    }

    /// `Call-ID`
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header(HeaderName::CallId).unwrap_or_default()
    }

    /// `CSeq`
    #[must_use]
    pub fn cseq(&self) -> CSeq {
        // there is one: parser, builder and edits see to it
        let cseq = self.header(HeaderName::CSeq).and_then(CSeq::parse);
        cseq.unwrap_or_else(|| CSeq {
            number: 0,
            method: Method::new(""),
        })
    }

    /// Every `Contact`, in order.
    pub fn contacts(&self) -> impl Iterator<Item = Contact<'_>> + Clone {
        self.headers(HeaderName::Contact).filter_map(Contact::parse)
    }

    /// The first `Contact` that is an address: the remote target of a dialog.
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr<'_>> {
        self.contacts().find_map(|contact| contact.address())
    }

    /// Every address in this field: `Path`, `Service-Route`, `P-Asserted-Identity` and others.
    pub fn addresses(&self, name: HeaderName) -> impl Iterator<Item = NameAddr<'_>> + Clone {
        self.headers(name).filter_map(NameAddr::parse)
    }

    /// `Route`, topmost first.
    pub fn route(&self) -> impl Iterator<Item = NameAddr<'_>> + Clone {
        self.addresses(HeaderName::Route)
    }

    /// `Record-Route`, topmost first.
    pub fn record_route(&self) -> impl Iterator<Item = NameAddr<'_>> + Clone {
        self.addresses(HeaderName::RecordRoute)
    }

    /// `Max-Forwards`, 0 to 255.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(HeaderName::MaxForwards)
            .and_then(|hops| hops.try_into().ok())
    }

    /// `Expires` in seconds; a number too large for 32 bits counts as the largest.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.number(HeaderName::Expires)
    }

    /// `Min-Expires` in seconds.
    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        self.number(HeaderName::MinExpires)
    }

    /// `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        fields::retry_after(self.header(HeaderName::RetryAfter)?)
    }

    /// `Min-SE` in seconds.
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        fields::delta_seconds(self.token(HeaderName::MinSe)?.value)
    }

    /// `Session-Expires`
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        SessionExpires::parse(self.header(HeaderName::SessionExpires)?)
    }

    /// `RSeq`
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        self.number(HeaderName::RSeq)
    }

    /// `RAck`
    #[must_use]
    pub fn rack(&self) -> Option<RAck> {
        RAck::parse(self.header(HeaderName::RAck)?)
    }

    /// `Join` (RFC 3911), which reads like `Replaces`.
    #[must_use]
    pub fn join(&self) -> Option<Replaces<'_>> {
        Replaces::parse(self.header(HeaderName::Join)?)
    }

    /// `Replaces`
    #[must_use]
    pub fn replaces(&self) -> Option<Replaces<'_>> {
        Replaces::parse(self.header(HeaderName::Replaces)?)
    }

    /// `Refer-To`
    #[must_use]
    pub fn refer_to(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.header(HeaderName::ReferTo)?)
    }

    /// `Event`
    #[must_use]
    pub fn event(&self) -> Option<Token<'_>> {
        self.token(HeaderName::Event)
    }

    /// Each `Reason`: protocol, `cause`, `text` (RFC 3326).
    pub fn reasons(&self) -> impl Iterator<Item = Token<'_>> + Clone {
        self.headers(HeaderName::Reason).map(Token::parse)
    }

    /// The first field of this name as a value with parameters.
    #[must_use]
    pub fn token(&self, name: HeaderName) -> Option<Token<'_>> {
        self.header(name).map(Token::parse)
    }

    /// The media type of the body as written, without its parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.token(HeaderName::ContentType).map(|media| media.value)
    }

    /// True when the body is of this media type, `application/sdp` for instance.
    #[must_use]
    pub fn has_content_type(&self, media_type: &str) -> bool {
        self.content_type()
            .is_some_and(|own| own.eq_ignore_ascii_case(media_type))
    }

    /// The option tags of `Require`.
    pub fn require(&self) -> impl Iterator<Item = &str> + Clone {
        self.headers(HeaderName::Require).filter(|tag| !tag.is_empty())
    }

    /// The option tags of `Supported`.
    pub fn supported(&self) -> impl Iterator<Item = &str> + Clone {
        self.headers(HeaderName::Supported).filter(|tag| !tag.is_empty())
    }

    /// True when `Supported` or `Require` has this option tag.
    #[must_use]
    pub fn supports(&self, option: &str) -> bool {
        self.lists(HeaderName::Supported, option) || self.lists(HeaderName::Require, option)
    }

    /// The methods of `Allow`, as written.
    pub fn allow(&self) -> impl Iterator<Item = &str> + Clone {
        self.headers(HeaderName::Allow)
            .filter(|method| !method.is_empty())
    }

    /// Each challenge or credentials in this field, a line each.
    pub fn auth(&self, name: HeaderName) -> impl Iterator<Item = AuthParams<'_>> + Clone {
        self.lines(name).filter_map(AuthParams::parse)
    }

    /// Credentials, as written: the lines of `Authorization` and `Proxy-Authorization`.
    #[must_use]
    pub fn credentials(&self) -> Vec<(String, String)> {
        self.named_lines([HeaderName::Authorization, HeaderName::ProxyAuthorization])
    }

    /// Challenges, as written: the lines of `WWW-Authenticate` and `Proxy-Authenticate`.
    #[must_use]
    pub fn challenges(&self) -> Vec<(String, String)> {
        self.named_lines([HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate])
    }

    fn named_lines(&self, names: [HeaderName; 2]) -> Vec<(String, String)> {
        let lines = names
            .into_iter()
            .flat_map(|name| self.lines(name).map(move |value| (name, value)));
        lines
            .map(|(name, value)| (name.as_str().to_owned(), value.to_owned()))
            .collect()
    }

    fn number(&self, name: HeaderName) -> Option<u32> {
        fields::delta_seconds(self.header(name)?)
    }
}
