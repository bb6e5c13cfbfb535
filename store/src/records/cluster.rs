//! Main points in groups of those that are near to each other.

use chrono::{DateTime, Utc};

use super::ids::TurnId;
use super::turn::Span;

/// The main points of a scope in clusters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clusters {
    /// How many main points the scope has.
    pub total: usize,
    /// Those that were looked at and whose vectors point anywhere, by turn and passage. All of a turn are in one cluster.
    pub points: Vec<ClusteredPoint>,
    /// How many clusters there are; none is empty.
    pub count: usize,
}

impl Clusters {
    /// Most main points that are looked at.
    pub const MOST_POINTS: usize = 10_000;
}

/// A main point and the cluster that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusteredPoint {
    /// The turn that it is of.
    pub turn: TurnId,
    /// The passage within the turn, from 0.
    pub passage: u32,
    /// When the turn was said last.
    pub time: DateTime<Utc>,
    /// First byte of the passage in the turn's original text.
    pub start: u32,
    /// One past the last byte of the passage.
    pub end: u32,
    /// The main point itself.
    pub spans: Vec<Span>,
    /// The passage's verbatim text, or under [`Retain::Spans`](crate::Retain::Spans) its spans joined by ` … `.
    pub text: String,
    /// Its cluster, from 0.
    pub cluster: usize,
    /// How far its vector is from the centre of that, comparable within one answer: 0 in the centre.
    pub distance: f32,
}
