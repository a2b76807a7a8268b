//! Documents of event packages, parsed strictly: a document that is not well-formed, or not as its schema wants it, fails the test.

/// An XML element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// The root element of a document.
pub(crate) fn parse(text: &str) -> Element {
    let rest = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    let (root, rest) = element(rest.trim_start());
    assert!(rest.trim().is_empty(), "after the root: {rest}");
    root
}

fn element(text: &str) -> (Element, &str) {
    let text = text.strip_prefix('<').expect("a tag");
    let end = text.find([' ', '>', '/']).expect("the end of a name");
    let (name, mut rest) = text.split_at(end);
    assert!(!name.is_empty());
    let mut found = Element {
        name: name.to_owned(),
        ..Element::default()
    };
    loop {
        if let Some(after) = rest.strip_prefix("/>") {
            return (found, after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            rest = after;
            break;
        }
        let (name, after) = rest.trim_start().split_once("=\"").expect("an attribute");
        let (value, after) = after.split_once('"').expect("the end of a value");
        assert!(found.attribute(name).is_none(), "{name} twice");
        found.attributes.push((name.to_owned(), unescape(value)));
        rest = after;
    }
    loop {
        let next = rest.find('<').expect("an end tag");
        found.text.push_str(&unescape(&rest[..next]));
        rest = &rest[next..];
        if let Some(after) = rest.strip_prefix("</") {
            let (name, after) = after.split_once('>').expect("the end of a tag");
            assert_eq!(name, found.name);
            return (found, after);
        }
        let (child, after) = element(rest);
        found.children.push(child);
        rest = after;
    }
}

fn unescape(text: &str) -> String {
    assert!(!text.contains('<') && !text.chars().any(char::is_control));
    let mut out = String::new();
    let mut pieces = text.split('&');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once(';').expect("an entity");
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => panic!("&{other};"),
        });
        out.push_str(rest);
    }
    out
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The one child of this name.
    pub(crate) fn one(&self, name: &str) -> &Element {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let one = found.next().unwrap_or_else(|| panic!("no {name} in {self:?}"));
        assert!(found.next().is_none(), "{name} twice");
        one
    }

    /// Checks a document of the package `dialog` by the schema of RFC 4235 §4.4.
    pub(crate) fn is_dialog_info(&self, state: &str, version: u32, entity: &str) {
        assert_eq!(self.name, "dialog-info");
        let expected = [
            ("xmlns", "urn:ietf:params:xml:ns:dialog-info"),
            ("version", &version.to_string()),
            ("state", state),
            ("entity", entity),
        ];
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(attributes, expected);
        for dialog in &self.children {
            assert_eq!(dialog.name, "dialog");
            assert!(dialog.attribute("id").is_some_and(|id| !id.is_empty()));
            for (name, _) in &dialog.attributes {
                assert!(
                    ["id", "call-id", "local-tag", "remote-tag", "direction"].contains(&name.as_str()),
                    "{name}"
                );
            }
            let names: Vec<&str> = dialog.children.iter().map(|child| child.name.as_str()).collect();
            assert!(
                names == ["state"] || names == ["state", "local", "remote"],
                "in this order: {names:?}"
            );
            let state = dialog.one("state").text.as_str();
            assert!(
                ["trying", "early", "confirmed", "terminated"].contains(&state),
                "{state}"
            );
            for side in dialog.children.iter().skip(1) {
                let names: Vec<&str> = side.children.iter().map(|child| child.name.as_str()).collect();
                assert_eq!(names, ["identity", "target"]);
                assert!(side.one("target").attribute("uri").is_some());
            }
        }
    }
}
