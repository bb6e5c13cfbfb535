//! The bytes of a file of the simulated disk, and what a power loss leaves of them.

use std::collections::BTreeMap;

pub(super) const SECTOR: usize = 512;
pub(super) const PAGE: u64 = 4096;

type Page = Box<[u8; PAGE as usize]>;

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) length: u64,
    pub(super) pages: BTreeMap<u64, Page>,
    /// What pages held before each write since the last sync, oldest first.
    pub(super) unsynced: BTreeMap<u64, Vec<Page>>,
    /// What is on the disk of pages that a sync could not write and that no later one writes, unless they are written again.
    pub(super) forgotten: BTreeMap<u64, Page>,
    /// The lengths before each change of it since then.
    pub(super) lengths: Vec<u64>,
}

impl File {
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        let mut at = 0;
        while at < out.len() {
            let place = offset + at as u64;
            let (page, within) = (place / PAGE, (place % PAGE) as usize);
            let count = (PAGE as usize - within).min(out.len() - at);
            match self.pages.get(&page) {
                Some(bytes) => out[at..at + count].copy_from_slice(&bytes[within..within + count]),
                None => out[at..at + count].fill(0),
            }
            at += count;
        }
    }

    pub(super) fn keep_page(&mut self, page: u64) {
        let before = self.pages.get(&page).cloned().unwrap_or_else(empty);
        let forgotten = self.forgotten.remove(&page);
        self.unsynced.entry(page).or_default().extend(forgotten.into_iter().chain([before]));
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        (offset / PAGE..(offset + bytes.len() as u64).div_ceil(PAGE)).for_each(|page| self.keep_page(page));
        self.put(offset, bytes);
    }

    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let place = offset + at as u64;
            let (page, within) = (place / PAGE, (place % PAGE) as usize);
            let count = (PAGE as usize - within).min(bytes.len() - at);
            let target = self.pages.entry(page).or_insert_with(empty);
            target[within..within + count].copy_from_slice(&bytes[at..at + count]);
            at += count;
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.lengths.push(self.length);
        if length < self.length {
            let gone: Vec<u64> = self.pages.range(length.div_ceil(PAGE)..).map(|(page, _)| *page).collect();
            for page in gone {
                self.keep_page(page);
                self.pages.remove(&page);
            }
        }
        self.length = length;
    }

    /// What is read of it, in a file that is synced.
    pub(super) fn copy(&self) -> Self {
        Self { length: self.length, pages: self.pages.clone(), ..Self::default() }
    }

    pub(super) fn sync(&mut self) {
        self.unsynced.clear();
        self.lengths.clear();
    }

    /// What was not synced is not synced by the next sync either.
    pub(super) fn forget(&mut self) {
        for (page, versions) in std::mem::take(&mut self.unsynced) {
            self.forgotten.extend(versions.into_iter().next().map(|oldest| (page, oldest)));
        }
    }

    /// Puts sectors and the length back to what `pick` chooses of their versions; how many sectors are not the newest.
    pub(super) fn lose(&mut self, pick: &mut impl FnMut(usize) -> usize) -> usize {
        let mut lost = 0;
        for (page, before) in std::mem::take(&mut self.forgotten) {
            self.unsynced.insert(page, vec![before]);
        }
        for (page, versions) in std::mem::take(&mut self.unsynced) {
            let target = self.pages.entry(page).or_insert_with(empty);
            for (sector, bytes) in target.chunks_mut(SECTOR).enumerate() {
                if let Some(version) = versions.get(pick(versions.len())) {
                    let from = sector * SECTOR;
                    bytes.copy_from_slice(&version[from..from + SECTOR]);
                    lost += 1;
                }
            }
        }
        let lengths = std::mem::take(&mut self.lengths);
        if let Some(length) = lengths.get(pick(lengths.len())) {
            self.length = *length;
        }
        self.pages.retain(|page, _| page * PAGE < self.length);
        lost
    }
}

fn empty() -> Page {
    Box::new([0; PAGE as usize])
}
