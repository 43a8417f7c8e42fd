//! `keys status`, `rotate`, `reseal`, `rewrap`, `retire`, `compromise`: the life of data keys, for an operator (docs/keys.md).

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::config::gateway::HOUSE;
use landfall::domain::ids::{Mode, PartnerId, Tenant};
use landfall::gateway::access::audit::Author;
use landfall::gateway::key_life::retire::Retirement;
use landfall::gateway::key_life::{KeyLifeError, KeyStatus, told};
use landfall::store::deks::DekRecord;
use landfall::vault::DekId;

use super::{Failure, complain, system_clock};

/// How often a long run says how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Of whom: every partner and mode, unless named.
#[derive(Args)]
pub struct Which {
    /// The partner's code; `house` for what serves every partner. None: every partner.
    #[arg(long)]
    partner: Option<String>,
    /// Test or live. None: both.
    #[arg(long)]
    mode: Option<Mode>,
}

#[derive(Args)]
pub struct Signed {
    #[command(flatten)]
    which: Which,
    /// Who does it, for the audit trail.
    #[arg(long)]
    by: String,
}

#[derive(Args)]
pub struct Rotate {
    #[command(flatten)]
    signed: Signed,
    /// Of every partner and mode; otherwise --partner has to be named.
    #[arg(long)]
    all: bool,
    /// Why, for the audit trail.
    #[arg(long, default_value = "by an operator")]
    reason: String,
}

#[derive(Args)]
pub struct Reseal {
    #[command(flatten)]
    which: Which,
    /// The most rows a second. None: as fast as it goes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    per_sec: Option<u32>,
}

#[derive(Args)]
pub struct Retire {
    #[command(flatten)]
    signed: Signed,
    /// This epoch alone, of the partner and mode that are named. None: all whose time has come.
    #[arg(long)]
    epoch: Option<i32>,
}

#[derive(Args)]
pub struct Compromise {
    /// The partner's code; `house` for what serves every partner.
    #[arg(long)]
    partner: String,
    /// Test or live.
    #[arg(long)]
    mode: Mode,
    /// The key's epoch, as `keys status` tells it.
    #[arg(long)]
    epoch: i32,
    /// Who does it, for the audit trail.
    #[arg(long)]
    by: String,
    /// What happened, for the audit trail.
    #[arg(long)]
    reason: String,
}

/// What is asked for.
pub enum Work {
    Status(Which),
    Rotate(Rotate),
    Reseal(Reseal),
    Rewrap(Signed),
    Retire(Retire),
    Compromise(Compromise),
}

pub async fn run(settings: Settings, work: Work) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = match work {
        Work::Status(which) => status(&app, &which).await,
        Work::Rotate(rotate) => self::rotate(&app, &rotate).await,
        Work::Reseal(reseal) => self::reseal(&app, &reseal).await,
        Work::Rewrap(signed) => rewrap(&app, &signed).await,
        Work::Retire(retire) => self::retire(&app, &retire).await,
        Work::Compromise(compromise) => self::compromise(&app, &compromise).await,
    };
    drop(app);
    database.close().await;
    outcome
}

/// Partners by id, with their codes.
async fn partners(app: &App) -> Result<Vec<(PartnerId, String)>, Failure> {
    let mut conn = app.db.get().await?;
    let all = landfall::store::partners::all(&mut conn).await?;
    Ok(all.into_iter().map(|partner| (partner.id, partner.code)).collect())
}

/// The tenants that were named; `None`: all.
async fn tenants(app: &App, which: &Which) -> Result<Option<Vec<Tenant>>, Failure> {
    let known = partners(app).await?;
    let ids: Vec<PartnerId> = match &which.partner {
        Some(code) => {
            let (id, _) =
                known.iter().find(|(_, known)| known == code).ok_or_else(|| format!("there is no partner {code}"))?;
            vec![*id]
        }
        None if which.mode.is_none() => return Ok(None),
        None => known.iter().map(|(id, _)| *id).collect(),
    };
    let modes = which.mode.map_or_else(|| vec![Mode::Test, Mode::Live], |mode| vec![mode]);
    Ok(Some(ids.iter().flat_map(|id| modes.iter().map(|mode| Tenant { partner_id: *id, mode: *mode })).collect()))
}

async fn author(app: &App, tenant: Tenant, by: &str) -> Result<Author, Failure> {
    if !app.settings.modes.contains(&tenant.mode) {
        return Err(format!("{} mode isn't served here (modes)", tenant.mode).into());
    }
    super::author(by, tenant)
}

fn name(known: &[(PartnerId, String)], key: &DekRecord) -> String {
    let partner = known.iter().find(|(id, _)| *id == key.partner_id);
    let partner = partner.map_or_else(|| key.partner_id.0.to_string(), |(_, code)| code.clone());
    format!("{partner}/{} epoch {}", key.mode, key.epoch)
}

async fn status(app: &App, which: &Which) -> Result<ExitCode, Failure> {
    let tenants = tenants(app, which).await?;
    let (keys, pass) = app.gateway.key_status(tenants.as_deref()).await?;
    match app.vault.kek_id().await {
        Ok(kek) => println!("provider {}, key-encryption key {kek}", app.vault.provider_code()),
        // Everything else is told all the same.
        Err(error) => println!("provider {}: {error}", app.vault.provider_code()),
    }
    for key in &keys {
        print_key(app, key);
    }
    let left: i64 = keys.iter().filter(|key| !key.key.is_primary).flat_map(|key| &key.uses).map(|one| one.count).sum();
    println!("{left} values are under old keys; {} rows were sealed anew up to now", pass.resealed_total);
    if let (Some(started_at), None) = (pass.started_at, pass.finished_at) {
        println!(
            "pass {} since {started_at:.0}: {} values were due, {} rows are done, {} don't open; it is at {}",
            pass.pass,
            pass.due,
            pass.resealed,
            pass.unopened(),
            pass.table_name
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print_key(app: &App, status: &KeyStatus) {
    let key = &status.key;
    let rows = if status.uses.is_empty() { "nothing".to_owned() } else { told(&status.uses) };
    println!(
        "{}/{} epoch {}  {}  {}  check value {}",
        status.partner,
        key.mode,
        key.epoch,
        status.id(),
        status.state(),
        hex::encode(&key.key_check_value)
    );
    println!("    seals {rows}; {} messages counted; wrapped by {}", key.message_count, key.kek_id);
    let mut dates = vec![format!("made {:.0}", key.created_at)];
    dates.extend(key.superseded_at.map(|at| format!("followed {at:.0}")));
    dates.extend(key.compromised_at.map(|at| format!("compromised {at:.0}")));
    dates.extend(key.drained_at.map(|at| format!("drained {at:.0}")));
    if let (Some(at), None, None) = (key.drained_at, key.retired_at, key.compromised_at) {
        dates.push(format!("may be retired {:.0}", at + app.gateway.keys.retire_grace));
    }
    dates.extend(key.retired_at.map(|at| format!("retired {at:.0}")));
    println!("    {}", dates.join(", "));
}

async fn rotate(app: &App, rotate: &Rotate) -> Result<ExitCode, Failure> {
    let Rotate { signed, all, reason } = rotate;
    if *all == signed.which.partner.is_some() {
        return Err("name a partner (--partner), or every one (--all)".into());
    }
    let tenants = tenants(app, &signed.which).await?;
    let keys = app.gateway.data_keys(tenants.as_deref()).await?;
    let known = partners(app).await?;
    let is_served = |key: &&DekRecord| app.settings.modes.contains(&key.mode);
    let primaries: Vec<&DekRecord> = keys.iter().filter(|key| key.is_primary).filter(is_served).collect();
    if primaries.is_empty() {
        return Err("there is no data key yet: one is made when something is sealed first".into());
    }
    for key in &primaries {
        let author = author(app, key.tenant(), &signed.by).await?;
        match app.gateway.begin_epoch(&author, key.epoch, reason).await {
            Ok(id) => println!("{} is followed by {id}", name(&known, key)),
            Err(KeyLifeError::Changed) => println!("{} was followed by another key meanwhile", name(&known, key)),
            Err(error) => return Err(error.into()),
        }
    }
    println!(
        "workers seal anew what is under old keys, {} rows a second (vault.reseal_per_sec): `landfall keys status`",
        app.gateway.keys.reseal_per_sec
    );
    Ok(ExitCode::SUCCESS)
}

/// Says from time to time how many rows are done.
fn teller() -> impl FnMut(usize) {
    let begun = Instant::now();
    let mut last = begun;
    move |done| {
        if last.elapsed() >= TOLD_EVERY {
            last = Instant::now();
            complain(&format!("{done} rows after {} s", begun.elapsed().as_secs()));
        }
    }
}

async fn reseal(app: &App, reseal: &Reseal) -> Result<ExitCode, Failure> {
    let tenants = tenants(app, &reseal.which).await?;
    let keys = app.gateway.data_keys(tenants.as_deref()).await?;
    let old: Vec<(DekId, Tenant)> = keys
        .iter()
        .filter(|key| !key.is_primary && key.retired_at.is_none())
        .map(|key| (DekId(key.id), key.tenant()))
        .collect();
    if old.is_empty() {
        println!("there is no old data key");
        return Ok(ExitCode::SUCCESS);
    }
    let done = app.gateway.reseal_now(&old, reseal.per_sec, &mut teller()).await?;
    println!("{done} rows were sealed anew; nothing is under an old key");
    Ok(ExitCode::SUCCESS)
}

async fn rewrap(app: &App, signed: &Signed) -> Result<ExitCode, Failure> {
    let tenants = tenants(app, &signed.which).await?;
    let actor = super::actor(&signed.by)?;
    let mut last = Instant::now();
    let heard = |_: &DekRecord, done: usize, of: usize| {
        if last.elapsed() >= TOLD_EVERY {
            last = Instant::now();
            complain(&format!("{done} of {of} keys"));
        }
    };
    let outcome = app.gateway.rewrap_keys(&actor, tenants.as_deref(), heard).await?;
    println!(
        "{} keys were rewrapped under {}, {} were already",
        outcome.rewrapped,
        app.vault.kek_id().await?,
        outcome.current
    );
    if outcome.changed > 0 {
        return Err(format!("{} keys were changed by somebody else meanwhile: run it again", outcome.changed).into());
    }
    Ok(ExitCode::SUCCESS)
}

async fn retire(app: &App, retire: &Retire) -> Result<ExitCode, Failure> {
    let which = &retire.signed.which;
    let is_named = which.partner.is_some() && which.mode.is_some();
    if retire.epoch.is_some() && !is_named {
        return Err("an epoch is of one partner and mode: name both (--partner, --mode)".into());
    }
    let tenants = tenants(app, which).await?;
    let keys = app.gateway.data_keys(tenants.as_deref()).await?;
    let known = partners(app).await?;
    let wanted: Vec<&DekRecord> = match retire.epoch {
        Some(epoch) => vec![keys.iter().find(|key| key.epoch == epoch).ok_or("there is no such epoch")?],
        None => keys.iter().filter(|key| !key.is_primary && key.retired_at.is_none()).collect(),
    };
    let mut is_refused = false;
    for key in &wanted {
        let (author, name) = (author(app, key.tenant(), &retire.signed.by).await?, name(&known, key));
        match app.gateway.retire_key(&author, DekId(key.id)).await? {
            Retirement::Retired => println!("{name} is retired: its key is destroyed"),
            Retirement::Already => println!("{name} was retired before"),
            Retirement::InUse(uses) => {
                is_refused = true;
                println!("{name} is in use: {}", told(&uses));
            }
            Retirement::NotBefore(at) => {
                is_refused |= retire.epoch.is_some();
                println!("{name} isn't named by any row, and may be retired {at:.0} (vault.retire_grace_secs)");
            }
        }
    }
    if wanted.is_empty() {
        println!("there is no old data key");
    }
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn compromise(app: &App, asked: &Compromise) -> Result<ExitCode, Failure> {
    let which = Which { partner: Some(asked.partner.clone()), mode: Some(asked.mode) };
    let tenants = tenants(app, &which).await?.unwrap_or_default();
    let tenant =
        *tenants.first().ok_or_else(|| format!("there is no partner {} ({HOUSE} is the house)", asked.partner))?;
    let author = author(app, tenant, &asked.by).await?;
    let retirement = app.gateway.compromise_key(&author, asked.epoch, &asked.reason, teller()).await?;
    let name = format!("{}/{} epoch {}", asked.partner, asked.mode, asked.epoch);
    match retirement {
        Retirement::Retired | Retirement::Already => {
            println!("{name} is compromised, nothing is sealed under it any more, and its key is destroyed");
            println!(
                "Backups still hold what was sealed under it, and the wrapped key: docs/keys.md, \"A compromise\"."
            );
            Ok(ExitCode::SUCCESS)
        }
        Retirement::InUse(uses) => Err(format!("{name} is still in use: {}; run it again", told(&uses)).into()),
        Retirement::NotBefore(at) => Err(format!("{name} may be retired {at:.0}").into()),
    }
}
