use crate::message::{HeaderName, Message, NameAddr};

/// The proxies between us and the peer, nearest first, each as written in `Record-Route` (RFC 3261 §12.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet(Vec<String>);

/// Addressing of a request within a dialog (RFC 3261 §12.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Request-URI.
    pub request_uri: String,
    /// Values of `Route`, in order.
    pub routes: Vec<String>,
    /// Destination of the request: the first route, or the Request-URI.
    pub next_hop: String,
}

impl RouteSet {
    /// Route set of the callee: `Record-Route` of the request in its order (§12.1.1).
    #[must_use]
    pub fn uas(request: &Message) -> RouteSet {
        RouteSet(
            request
                .headers(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Route set of the caller: `Record-Route` of the response in reverse (§12.1.2).
    #[must_use]
    pub fn uac(response: &Message) -> RouteSet {
        let mut routes = RouteSet::uas(response);
        routes.0.reverse();
        routes
    }

    /// Route set of a saved dialog: see [`RouteSet::values`].
    #[must_use]
    pub fn restored(values: Vec<String>) -> RouteSet {
        RouteSet(values)
    }

    /// Nearest first, each as written in `Record-Route`.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.0
    }

    /// True when the peer is reached without a proxy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address lines of a request to `target`.
    #[must_use]
    pub fn apply(&self, target: &str) -> Routed {
        let Some(first) = self.0.first() else {
            return Routed {
                request_uri: target.to_owned(),
                routes: Vec::new(),
                next_hop: target.to_owned(),
            };
        };
        let (next_hop, loose) = match NameAddr::parse(first) {
            Some(route) => (route.uri.as_str().to_owned(), route.uri.is_loose_router()),
            None => (target.to_owned(), true),
        };
        if loose {
            return Routed {
                request_uri: target.to_owned(),
                routes: self.0.clone(),
                next_hop,
            };
        }
        // A strict router of RFC 2543 wants itself in the Request-URI and the target at the end.
        let mut routes = self.0[1..].to_vec();
        routes.push(format!("<{target}>"));
        Routed {
            request_uri: next_hop.clone(),
            routes,
            next_hop,
        }
    }
}
