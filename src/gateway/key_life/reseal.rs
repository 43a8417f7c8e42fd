//! Sealing anew: values under keys that aren't primary any more are opened and sealed under the key that is. In the background all processes
//! share one pass over the tables, which the database keeps: each takes the next part of it by moving its place on, so nothing is done
//! twice. A part whose process died is left out, and the next pass finds it: passes follow one another until no row names an old key.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::super::{Gateway, GatewayError};
use super::{KeyLifeError, reach};
use crate::domain::ids::Tenant;
use crate::store::deks;
use crate::store::retry::transaction;
use crate::store::sealed::{self, Anew, SealedRow, SealedValues};
use crate::vault::{Context, DekId, RecordId, Sealed, SealedTable, VaultError};

/// How many rows one look takes, whether they are due or not.
const LOOK_ROWS: i64 = 2_000;
/// The most rows that one transaction writes: whoever wants one of them waits that long.
const WRITE_ROWS: usize = 100;
/// How long the next pass waits where one has sealed nothing before its last part though something is due: it is locked, or doesn't open,
/// or that part is all there is. Looking at everything over and over would help nobody.
const PAUSE_SECS: i64 = 10;
/// How often a run in the foreground looks again at rows that it can't seal anew, and how long it waits in between.
const LOOKS_MAX: u32 = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait within a step.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// What came of rows that were to be sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    resealed: usize,
    failed: usize,
}

/// A part of the pass that is this process's to do.
enum Part {
    /// Nothing yet.
    Wait(Duration),
    Take {
        table: SealedTable,
        due: Vec<SealedRow>,
        /// It is the last one.
        ends_pass: bool,
    },
}

impl Gateway {
    /// Does the next part of the pass, at the rate that configuration sets for all processes together; answers 0 where there is nothing to
    /// do now.
    pub async fn reseal_step(&self) -> Result<usize, GatewayError> {
        let draining = {
            let conn = self.db.get().await?;
            deks::draining(&conn).await?
        };
        if draining.is_empty() {
            return Ok(0);
        }
        let keys: Vec<DekId> = draining.iter().map(|(id, _)| *id).collect();
        match self.take_part(&keys).await? {
            Part::Wait(time) if time > WAIT_MAX => Ok(0),
            Part::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(1)
            }
            Part::Take { table, due, ends_pass } => {
                reach("reseal part taken").await.map_err(KeyLifeError::from)?;
                let count = due.len();
                self.reseal_rows(table, due, &keys).await?;
                if ends_pass {
                    self.note_all_drained(&draining).await?;
                }
                Ok(count.max(1))
            }
        }
    }

    /// Moves the pass on and answers the part in between.
    async fn take_part(&self, keys: &[DekId]) -> Result<Part, KeyLifeError> {
        let now = self.clock.now();
        let seen = {
            let conn = self.db.get().await?;
            sealed::find_pass(&conn).await?
        };
        if now < seen.next_at {
            return Ok(Part::Wait((seen.next_at - now).to_std().unwrap_or_default()));
        }
        // Counting takes a look at everything: nobody waits for it.
        let due_at_first = match seen.finished_at {
            Some(_) => {
                let uses =
                    transaction(&self.db, async |conn| Ok::<_, KeyLifeError>(sealed::count(conn, Some(keys)).await?))
                        .await?;
                Some(uses.iter().map(|one| one.count).sum::<i64>())
            }
            None => None,
        };
        let due_max = usize::try_from(self.keys.reseal_per_sec / 4).unwrap_or(1).clamp(1, WRITE_ROWS);
        transaction(&self.db, async |conn| {
            let mut pass = sealed::lock_pass(conn).await?;
            if now < pass.next_at {
                return Ok(Part::Wait((pass.next_at - now).to_std().unwrap_or_default()));
            }
            if pass.finished_at.is_some() {
                // Begun and ended by others since it was counted.
                let Some(due) = due_at_first.filter(|_| pass.pass == seen.pass) else {
                    return Ok(Part::Wait(Duration::ZERO));
                };
                pass.begin(due, now);
            }
            let Some(table) = SealedTable::named(&pass.table_name) else {
                // A table that a later version of the program knows: that one goes on with it.
                return Ok(Part::Wait(WAIT_MAX * 2));
            };
            let page = match pass.due {
                0 => sealed::Page { due: Vec::new(), end: None },
                _ => sealed::page(conn, table, pass.place(table), LOOK_ROWS, keys, due_max).await?,
            };
            pass.next_at = now + self.time_of(page.due.len());
            let mut ends_pass = false;
            match (page.end, table.next().filter(|_| pass.due > 0)) {
                (Some(place), _) => pass.go_on(table, Some(place)),
                (None, Some(next)) => pass.go_on(next, None),
                (None, None) => {
                    ends_pass = true;
                    pass.finished_at = Some(now);
                    if pass.due > 0 && pass.resealed == 0 {
                        pass.next_at = now + TimeDelta::seconds(PAUSE_SECS);
                    }
                }
            }
            sealed::save_pass(conn, &pass).await?;
            Ok::<_, KeyLifeError>(Part::Take { table, due: page.due, ends_pass })
        })
        .await
    }

    /// How long so many rows take at the rate that is set.
    fn time_of(&self, rows: usize) -> TimeDelta {
        let micros = i64::try_from(rows).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        TimeDelta::microseconds(micros / i64::from(self.keys.reseal_per_sec))
    }

    /// Seals everything anew that stands under these keys, here and now: as fast as it goes, or so many rows a second. It answers when no
    /// row names any of them, which is noted. Broken off, it is begun again and finds what is left. `heard` is told how many rows it has
    /// done.
    pub async fn reseal_now(
        &self,
        keys: &[(DekId, Tenant)],
        per_sec: Option<u32>,
        heard: &mut impl FnMut(usize),
    ) -> Result<usize, KeyLifeError> {
        let ids: Vec<DekId> = keys.iter().map(|(id, _)| *id).collect();
        let mut total = 0;
        let mut looks = 0;
        loop {
            let before = total;
            for table in SealedTable::ALL {
                let mut place = sealed::start(table);
                loop {
                    let page = {
                        let conn = self.db.get().await?;
                        sealed::page(&conn, table, place, LOOK_ROWS, &ids, WRITE_ROWS).await?
                    };
                    let count = page.due.len();
                    total += self.reseal_rows(table, page.due, &ids).await?.resealed;
                    if count > 0 {
                        heard(total);
                    }
                    if let Some(per_sec) = per_sec {
                        let micros = u64::try_from(count).unwrap_or(0) * 1_000_000 / u64::from(per_sec.max(1));
                        tokio::time::sleep(Duration::from_micros(micros)).await;
                    }
                    match page.end {
                        Some(end) => place = end,
                        None => break,
                    }
                }
            }
            let left = self.note_all_drained(keys).await?;
            let Some((key, uses)) = left else { return Ok(total) };
            looks = if total > before { 0 } else { looks + 1 };
            if looks == LOOKS_MAX {
                return Err(KeyLifeError::Stuck { key, uses });
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Notes of each key that no row names that it is so. Answers the first that is still named.
    async fn note_all_drained(
        &self,
        keys: &[(DekId, Tenant)],
    ) -> Result<Option<(DekId, Vec<sealed::KeyUse>)>, KeyLifeError> {
        let ids: Vec<DekId> = keys.iter().map(|(id, _)| *id).collect();
        let uses =
            transaction(&self.db, async |conn| Ok::<_, KeyLifeError>(sealed::count(conn, Some(&ids)).await?)).await?;
        let mut left = None;
        for (id, tenant) in keys {
            let of_it: Vec<_> = uses.iter().filter(|one| one.key == *id).copied().collect();
            if !of_it.is_empty() || !self.note_drained(*tenant, *id).await? {
                left.get_or_insert((*id, of_it));
            }
        }
        Ok(left)
    }

    /// Opens the rows' values, seals them anew, and writes them where the rows are as they were read.
    async fn reseal_rows(&self, table: SealedTable, due: Vec<SealedRow>, old: &[DekId]) -> Result<Done, KeyLifeError> {
        if due.is_empty() {
            return Ok(Done::default());
        }
        let mut tenants: Vec<Tenant> = due.iter().map(|row| row.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for tenant in tenants {
            // A ring that was read before the rotation would seal under the old key again.
            self.vault.forget_primary_among(tenant, old).await;
        }
        let mut done = Done::default();
        let mut anew = Vec::with_capacity(due.len());
        for row in due {
            match self.sealed_anew(table, &row).await {
                Ok(Some(values)) => anew.push(Anew { row, values }),
                // Sealed anew by somebody else since it was read, if its key is over already.
                Ok(None) | Err(VaultError::RetiredDek(_)) => {}
                Err(error) if error.may_pass() => return Err(error.into()),
                Err(error) => {
                    done.failed += 1;
                    tracing::error!(table = table.name(), row = row.id, %error, "a sealed row can't be sealed anew");
                }
            }
        }
        reach("reseal before write").await?;
        done.resealed = transaction(&self.db, async |conn| {
            let resealed = sealed::swap(conn, table, &anew).await?;
            sealed::add_done(conn, resealed, done.failed).await?;
            Ok::<_, KeyLifeError>(resealed)
        })
        .await?;
        reach("reseal after write").await?;
        Ok(done)
    }

    /// The row's values under its tenant's primary key; `None` if all of them are.
    async fn sealed_anew(&self, table: SealedTable, row: &SealedRow) -> Result<Option<SealedValues>, VaultError> {
        let mut values = row.values.clone();
        let mut is_changed = false;
        for (value, column) in values.iter_mut().zip(table.columns()) {
            // Empty: destroyed.
            let Some(bytes) = value.as_mut().filter(|bytes| !bytes.is_empty()) else { continue };
            let context = Context {
                tenant: row.tenant,
                customer_id: row.customer_id,
                record: record(table, &row.id),
                column: column.bound_as,
            };
            let sealed = Sealed(std::mem::take(bytes));
            *bytes = match self.vault.reseal(&context, &sealed).await? {
                Some(anew) => {
                    is_changed = true;
                    anew.0
                }
                None => sealed.0,
            };
        }
        Ok(is_changed.then_some(values))
    }
}

/// What the table's values are bound to. The text is the row's own id, as PostgreSQL writes it.
fn record(table: SealedTable, id: &str) -> RecordId {
    match table {
        SealedTable::Card => RecordId::Number(id.parse().unwrap_or_default()),
        SealedTable::RequestCard
        | SealedTable::ProviderAccount
        | SealedTable::ApiKey
        | SealedTable::Staff
        | SealedTable::Approval
        | SealedTable::WebhookEndpoint => RecordId::Uuid(id.parse().unwrap_or(Uuid::nil())),
    }
}
