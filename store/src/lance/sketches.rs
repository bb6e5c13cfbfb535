//! Sketches: a few bytes of every passage, made of what it is stored with to be ranked by.
//!
//! Responsible for: reading a fragment and putting its sketches together.

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

/// Where to read: a scope's rows in one version of the table.
#[derive(Debug, Clone)]
pub(crate) struct Unsketched {
    pub(crate) points: Arc<Dataset>,
    pub(crate) filter: DfExpr,
    pub(crate) sketcher: Sketcher,
}

/// Rows that are read at a time.
const BATCH: usize = 1024;
/// Bytes that are read ahead of them at most; Lance alone would take up to 2 GiB.
const READ_AHEAD: u64 = 32 << 20;

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

    fn append(&mut self, row: u64, ranking_data: &[u8], sketcher: &Sketcher) {
        (sketcher.0)(ranking_data, &mut self.bytes);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.rows.push(row);
    }

    fn append_all(&mut self, batch: &RecordBatch, sketcher: &Sketcher) -> Result<(), StoreError> {
        if batch.num_rows() > 0 {
            let ranking_data = columns::byte_slices(batch, column::RANKING_DATA)?;
            let rows = columns::row_ids(batch)?.iter();
            rows.zip(ranking_data).for_each(|(row, ranking_data)| self.append(*row, ranking_data, sketcher));
        }
        Ok(())
    }

    fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.rows.shrink_to_fit();
    }
}

impl Unsketched {
    /// The sketches of what lies in a fragment of that version; `None` if they take more than `most_bytes`.
    pub(crate) async fn read(
        &self,
        fragment: Fragment,
        most_bytes: usize,
    ) -> Result<Option<SketchedFragment>, StoreError> {
        let failed = || StoreError::lance("read what passages are ranked by");
        let mut scanner = self.points.scan();
        scanner.project(&[column::RANKING_DATA]).map_err(failed())?;
        scanner.with_row_id().batch_size(BATCH).io_buffer_size(READ_AHEAD).filter_expr(self.filter.clone());
        scanner.with_fragments(vec![fragment]);
        let mut batches = scanner.try_into_stream().await.map_err(failed())?;
        let mut found = SketchedFragment::default();
        while let Some(batch) = batches.next().await {
            found.append_all(&batch.map_err(failed())?, &self.sketcher)?;
            if found.size() > most_bytes {
                return Ok(None);
            }
        }
        found.shrink();
        Ok(Some(found))
    }
}
