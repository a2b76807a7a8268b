//! A caller's wish to stay unknown (RFC 3323).

use sip_core::message::{HeaderName, Message};

/// Privacy that a caller asks for: the values of `Privacy` (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// `id`: the asserted identity is for those alone who are trusted with it.
    pub id: bool,
    /// `user` or `header`: what `From` says is for nobody.
    pub from: bool,
    /// `history`: those who diverted the call are for nobody.
    pub history: bool,
}

impl Privacy {
    /// Privacy that a request asks for.
    pub(crate) fn of(request: &Message) -> Privacy {
        let mut privacy = Privacy::default();
        let values = request
            .lines(HeaderName::Privacy)
            .flat_map(|line| line.split([';', ',']))
            .map(str::trim);
        for value in values {
            match value {
                _ if value.eq_ignore_ascii_case("id") => privacy.id = true,
                _ if value.eq_ignore_ascii_case("user") || value.eq_ignore_ascii_case("header") => {
                    privacy.from = true;
                }
                _ if value.eq_ignore_ascii_case("history") => privacy.history = true,
                // `none`, `critical` and `session`: our SDP and Contact name nobody but us in any case.
                _ => {}
            }
        }
        privacy
    }

    /// Value of `Privacy` in a request of ours; `None` where nothing is private.
    pub(super) fn value(self) -> Option<String> {
        let mut values = Vec::new();
        // Of us, whoever hides `From` gets an anonymous one; what is left to hide is the asserted identity.
        if self.id || self.from {
            values.push("id");
        }
        if self.history {
            values.push("history");
        }
        (!values.is_empty()).then(|| values.join(";"))
    }
}
