//! Locations as emergency services take them: PIDF-LO (RFC 4119, RFC 5491) with civic addresses (RFC 5139) and circles.

use std::fmt;

use crate::calendar::timestamp;
use crate::watch::Xml;

/// Location of a caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    /// Civic address.
    pub civic: Option<Civic>,
    /// Point on the earth, or a circle around it.
    pub point: Option<Point>,
    /// URI at which the location can be asked for, in place of the others or beside them.
    pub uri: Option<String>,
}

/// Civic address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Civic(Vec<(CivicElement, String)>);

/// Point on the earth (WGS 84), or a circle around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees, north positive: -90 to 90.
    pub latitude: f64,
    /// Degrees, east positive: -180 to 180.
    pub longitude: f64,
    /// Radius of the circle that the caller is in, metres; 0: a point.
    pub radius: f64,
}

/// Text that names no element of a civic address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownElement;

impl fmt::Display for UnknownElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no element of a civic address (RFC 5139)")
    }
}

impl std::error::Error for UnknownElement {}

/// Element of a civic address: its place in the order of RFC 5139 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivicElement(u8);

/// Elements in the order of the schema, which is a sequence.
const ELEMENTS: [&str; 30] = [
    "country", "A1", "A2", "A3", "A4", "A5", "A6", "PRM", "PRD", "RD", "STS", "POD", "POM", "RDSEC", "RDBR",
    "RDSUBBR", "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD", "UNIT", "ROOM", "SEAT", "PLC", "PCN",
    "ADDCODE",
];

impl CivicElement {
    /// Country of ISO 3166, two letters: no civic address is without.
    pub const COUNTRY: CivicElement = CivicElement(0);

    /// The element of that name, whichever its case.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<CivicElement, UnknownElement> {
        let at = ELEMENTS
            .iter()
            .position(|element| element.eq_ignore_ascii_case(name));
        let at = at.and_then(|at| u8::try_from(at).ok());
        at.map(CivicElement).ok_or(UnknownElement)
    }

    fn name(self) -> &'static str {
        ELEMENTS.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl Civic {
    /// An address of these elements, each with its text.
    #[must_use]
    pub fn new(elements: impl IntoIterator<Item = (CivicElement, String)>) -> Civic {
        let mut elements: Vec<_> = elements.into_iter().collect();
        elements.sort_by_key(|(element, _)| *element);
        elements.dedup_by_key(|(element, _)| *element);
        Civic(elements)
    }
}

/// Namespaces of a document.
const NAMESPACES: [(&str, &str); 7] = [
    ("xmlns", "urn:ietf:params:xml:ns:pidf"),
    ("xmlns:gp", "urn:ietf:params:xml:ns:pidf:geopriv10"),
    ("xmlns:gbp", "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"),
    ("xmlns:cl", "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"),
    ("xmlns:gml", "http://www.opengis.net/gml"),
    ("xmlns:gs", "http://www.opengis.net/pidflo/1.0"),
    ("xml:lang", "en"),
];
/// Coordinates of WGS 84 in two dimensions (RFC 5491 §5).
const WGS84: (&str, &str) = ("srsName", "urn:ogc:def:crs:EPSG::4326");
/// Metres.
const METRES: (&str, &str) = ("uom", "urn:ogc:def:uom:EPSG::9001");
/// Seconds for which the emergency services may keep the location.
const RETENTION: u64 = 86_400;

impl Location {
    /// The document for a call of `number` at `host`, made `now` (seconds since 1970); `None`: there is a URI alone, or nothing.
    /// A location that is described in two ways is in two tuples (RFC 5491 §3.4, rule 5), the more exact one first.
    #[must_use]
    pub fn document(&self, number: &str, host: &str, now: u64) -> Option<String> {
        if self.civic.is_none() && self.point.is_none() {
            return None;
        }
        let entity = format!("pres:{number}@{host}");
        let mut xml = Xml::new();
        let mut attributes = NAMESPACES[..6].to_vec();
        attributes.push(("entity", &entity));
        xml.open("presence", &attributes);
        if let Some(civic) = &self.civic {
            tuple(&mut xml, "civic", now, |xml| civic.write(xml));
        }
        if let Some(point) = &self.point {
            tuple(&mut xml, "point", now, |xml| point.write(xml));
        }
        xml.close("presence");
        Some(xml.finish())
    }
}

/// A tuple with one description of the location.
fn tuple(xml: &mut Xml, id: &str, now: u64, write: impl FnOnce(&mut Xml)) {
    xml.open("tuple", &[("id", id)]);
    xml.open("status", &[]);
    xml.open("gp:geopriv", &[]);
    xml.open("gp:location-info", &[]);
    write(xml);
    xml.close("gp:location-info");
    xml.open("gp:usage-rules", &[]);
    xml.text("gbp:retransmission-allowed", &[], "true");
    xml.text("gbp:retention-expiry", &[], &timestamp(now + RETENTION));
    xml.close("gp:usage-rules");
    xml.text("gp:method", &[], "Manual");
    xml.close("gp:geopriv");
    xml.close("status");
    xml.text("timestamp", &[], &timestamp(now));
    xml.close("tuple");
}

impl Civic {
    fn write(&self, xml: &mut Xml) {
        xml.open("cl:civicAddress", &[("xml:lang", "en")]);
        for (element, text) in &self.0 {
            xml.text(&format!("cl:{}", element.name()), &[], text);
        }
        xml.close("cl:civicAddress");
    }
}

impl Point {
    fn write(self, xml: &mut Xml) {
        let position = format!("{} {}", self.latitude, self.longitude);
        if self.radius > 0.0 {
            xml.open("gs:Circle", &[WGS84]);
            xml.text("gml:pos", &[], &position);
            xml.text("gs:radius", &[METRES], &self.radius.to_string());
            xml.close("gs:Circle");
        } else {
            xml.open("gml:Point", &[WGS84]);
            xml.text("gml:pos", &[], &position);
            xml.close("gml:Point");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_each_description_in_a_tuple_of_its_own() {
        let element = |name: &str, text: &str| (CivicElement::named(name).unwrap(), text.to_owned());
        let civic = Civic::new([
            element("pc", "10115"),
            element("hno", "12"),
            element("COUNTRY", "DE"),
            element("rd", "Müller & Söhne <Weg>"),
            element("a3", "Berlin"),
        ]);
        let location = Location {
            civic: Some(civic),
            point: Some(Point {
                latitude: 52.5,
                longitude: 13.4,
                radius: 30.0,
            }),
            uri: None,
        };
        let text = location
            .document("+49301234", "pbx.example", 1_289_690_940)
            .unwrap();
        let civic = "<cl:civicAddress xml:lang=\"en\"><cl:country>DE</cl:country><cl:A3>Berlin</cl:A3><cl:RD>Müller &amp; Söhne \
                     &lt;Weg&gt;</cl:RD><cl:HNO>12</cl:HNO><cl:PC>10115</cl:PC></cl:civicAddress>";
        let circle = "<gs:Circle srsName=\"urn:ogc:def:crs:EPSG::4326\"><gml:pos>52.5 13.4</gml:pos><gs:radius \
                      uom=\"urn:ogc:def:uom:EPSG::9001\">30</gs:radius></gs:Circle>";
        for part in [
            "entity=\"pres:+49301234@pbx.example\"",
            civic,
            circle,
            "<gbp:retention-expiry>2010-11-14T23:29:00Z</gbp:retention-expiry>",
            "<gp:method>Manual</gp:method>",
            "</status><timestamp>2010-11-13T23:29:00Z</timestamp></tuple>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(crate::watch::is_well_formed(&text));
        assert_eq!(Location::default().document("1", "h", 0), None);
    }

    #[test]
    fn a_point_without_a_radius_is_a_point_and_an_element_that_is_none_is_refused() {
        let location = Location {
            point: Some(Point {
                latitude: -0.25,
                longitude: 179.999_999,
                radius: 0.0,
            }),
            ..Location::default()
        };
        let text = location.document("1", "h", 0).unwrap();
        assert!(text.contains("<gml:Point srsName=\"urn:ogc:def:crs:EPSG::4326\"><gml:pos>-0.25 179.999999</gml:pos></gml:Point>"), "{text}");
        assert_eq!(CivicElement::named("street"), Err(UnknownElement));
    }
}
