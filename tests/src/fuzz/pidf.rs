//! Presence documents that phones publish.

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "pidf",
    seeds,
    words: &[
        "<",
        ">",
        "</",
        "/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<!DOCTYPE",
        "&amp;",
        "&#x",
        "&#0;",
        ";",
        "\"",
        "'",
        ":",
        "=",
        "presence",
        "tuple",
        "status",
        "basic",
        "open",
        "closed",
        "note",
        "person",
        "activities",
        "away",
        "busy",
        "\u{feff}",
        "\u{1}",
    ],
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let documents = [
        "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:a@b\"><tuple id=\"t\"><status><basic>open\
         </basic></status><contact>sip:a@b</contact><note>Back &amp; forth</note></tuple></presence>",
        "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf'><!-- x --><p:tuple id='t'><p:status><p:basic>closed</p:basic></p:status></p:tuple>\
         <dm:person id='p'><r:activities><r:away/><r:on-the-phone/><r:juggling/></r:activities></dm:person></p:presence>",
        "<presence><note><![CDATA[<&>]]></note><note>&#65;&#x42;</note></presence>",
        "<!DOCTYPE presence [<!ENTITY a 'b'>]><presence>&a;</presence>",
    ];
    documents.map(|document| document.as_bytes().to_vec()).to_vec()
}

/// A document is read or refused; one that is read is written so that it reads back as the same.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(written) = session_core::rewrite_presence(text) {
        let again = session_core::rewrite_presence(&written);
        assert_eq!(again.as_deref(), Some(written.as_str()));
    }
}
