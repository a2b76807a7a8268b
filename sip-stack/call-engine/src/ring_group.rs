//! Ring groups: phones that ring for one number, all together or one after the other.

use std::time::Duration;

/// A ring group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingGroup {
    /// Its name.
    pub name: String,
    /// Users by name, and numbers of the dial plan.
    pub members: Vec<String>,
    /// Order in which they ring.
    pub strategy: RingStrategy,
    /// Time that they ring: all of them together, or each.
    pub ring: Duration,
    /// Number that a call goes to which nobody answered.
    pub overflow: Option<String>,
}

/// Order in which the members of a group ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingStrategy {
    /// All at once.
    #[default]
    All,
    /// One after the other, always from the first.
    InOrder,
    /// One after the other; each call begins with the member after the one that the call before began with.
    RoundRobin,
}

impl RingStrategy {
    /// Word for it in files and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RingStrategy::All => "all",
            RingStrategy::InOrder => "in-order",
            RingStrategy::RoundRobin => "round-robin",
        }
    }
}

impl RingGroup {
    /// Members who ring at once, then those who ring next, and so on. `turn` counts the calls of the group.
    #[must_use]
    pub fn stages(&self, turn: usize) -> Vec<Vec<&str>> {
        let members = self.members.iter().map(String::as_str);
        match self.strategy {
            RingStrategy::All => vec![members.collect()],
            RingStrategy::InOrder => members.map(|member| vec![member]).collect(),
            RingStrategy::RoundRobin => {
                let first = turn.checked_rem(self.members.len()).unwrap_or(0);
                let turned = members.clone().skip(first).chain(members.take(first));
                turned.map(|member| vec![member]).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_ring_together_in_order_or_in_turn() {
        let mut group = RingGroup {
            name: "sales".into(),
            members: ["a", "b", "c"].map(str::to_owned).to_vec(),
            strategy: RingStrategy::All,
            ring: Duration::from_secs(20),
            overflow: None,
        };
        assert_eq!(group.stages(5), [["a", "b", "c"]]);
        group.strategy = RingStrategy::InOrder;
        assert_eq!(group.stages(5), [["a"], ["b"], ["c"]]);
        group.strategy = RingStrategy::RoundRobin;
        assert_eq!(group.stages(0), [["a"], ["b"], ["c"]]);
        assert_eq!(group.stages(5), [["c"], ["a"], ["b"]]);
        group.members.clear();
        assert!(group.stages(1).is_empty());
    }
}
