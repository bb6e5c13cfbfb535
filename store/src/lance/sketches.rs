//! Sketches: a few bytes of every passage, made of what it is stored with to be ranked by.
//!
//! Responsible for: reading fragments and putting the sketches of each together. Must not know: what the bytes say, where
//! sketches are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::StreamExt;
use lance::Dataset;
use lance::table::format::Fragment;
use lancedb::expr::DfExpr;

use super::columns;
use super::schema::column;
use crate::error::StoreError;

/// Makes the sketch of a passage: gets what the passage is stored with to be ranked by, and appends its bytes. It has to give the
/// same for the same as long as a store is open.
#[derive(Clone)]
pub struct Sketcher(Arc<Append>);

type Append = dyn Fn(&[u8], &mut Vec<u8>) + Send + Sync;

/// The sketches of the passages that a scope has in one fragment, one after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SketchedFragment {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    rows: Vec<u64>,
}

/// What is to be read: the scope's rows in these fragments of one version of the table.
#[derive(Debug, Clone)]
pub(crate) struct Unsketched {
    pub(crate) points: Arc<Dataset>,
    pub(crate) filter: DfExpr,
    pub(crate) fragments: Vec<Fragment>,
}

/// Rows that are read at a time.
const BATCH: usize = 1024;

impl Sketcher {
    /// A sketcher that does this.
    pub fn new(append: impl Fn(&[u8], &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(append))
    }
}

impl fmt::Debug for Sketcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sketcher")
    }
}

impl SketchedFragment {
    /// The sketches, passage by passage.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each passage's sketch ends in [`SketchedFragment::bytes`].
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The row that each passage lies in, for [`Snapshot::identify`](crate::Snapshot::identify).
    #[must_use]
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// Bytes in memory.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice()) + size_of_val(self.rows.as_slice())
    }

    fn append(&mut self, row: u64, features: &[u8], sketcher: &Sketcher) {
        (sketcher.0)(features, &mut self.bytes);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.rows.push(row);
    }

    fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.rows.shrink_to_fit();
    }
}

/// The sketches of what is to be read, by fragment; `None` if they take more than `most_bytes`.
pub(crate) async fn read(
    unsketched: Unsketched,
    sketcher: &Sketcher,
    most_bytes: usize,
) -> Result<Option<HashMap<u64, SketchedFragment>>, StoreError> {
    let failed = || StoreError::lance("read what passages are ranked by");
    let Unsketched { points, filter, fragments } = unsketched;
    let mut scanner = points.scan();
    scanner.project(&[column::FEATURES]).map_err(failed())?;
    scanner.with_row_id().batch_size(BATCH).filter_expr(filter);
    scanner.with_fragments(fragments);
    let mut batches = scanner.try_into_stream().await.map_err(failed())?;
    let mut found: HashMap<u64, SketchedFragment> = HashMap::new();
    while let Some(batch) = batches.next().await {
        append(&batch.map_err(failed())?, sketcher, &mut found)?;
        if found.values().map(SketchedFragment::size).sum::<usize>() > most_bytes {
            return Ok(None);
        }
    }
    found.values_mut().for_each(SketchedFragment::shrink);
    Ok(Some(found))
}

fn append(
    batch: &RecordBatch,
    sketcher: &Sketcher,
    found: &mut HashMap<u64, SketchedFragment>,
) -> Result<(), StoreError> {
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let features = columns::byte_slices(batch, column::FEATURES)?;
    for (row, features) in columns::row_ids(batch)?.iter().zip(features) {
        // A row's number names its fragment and its place in it.
        found.entry(row >> 32).or_default().append(*row, features, sketcher);
    }
    Ok(())
}
