//! What reaches processes from outside, and what they do from time to time: callbacks, true, late, twice and forged; balances; the house.

use landfall::gateway::balance_syncs::{Asked, SyncTask};

use super::super::bank::Note;
use super::Run;

impl Run<'_> {
    pub(super) async fn call_back(&mut self, process: usize) {
        let count = self.ground.bank.books().outbox.len();
        if count == 0 {
            return;
        }
        let index = self.draw.below(count);
        let again = self.draw.percent(20);
        let note = {
            let mut books = self.ground.bank.books();
            if again { books.outbox[index].clone() } else { books.outbox.swap_remove(index) }
        };
        if again {
            self.tally.note("fault", "callback told again later");
        }
        if index > 0 {
            self.tally.note("fault", "callback out of order");
        }
        self.lay_trap(3);
        self.receive(process, &note).await;
    }

    pub(super) async fn receive(&mut self, process: usize, note: &Note) {
        let account = self.ground.accounts[&note.lane];
        let gateway = self.gateway(process);
        self.note(format!(
            "process {process} is called back about {}: {}",
            note.reference,
            String::from_utf8_lossy(&note.body)
        ));
        let (done, injected) =
            self.done(&[process], gateway.receive_callback(account, &note.headers, &note.body)).await;
        self.tally.note("run", "callbacks");
        // Where nobody answered, the provider tells it again.
        match done {
            Some(Err(error)) => {
                self.judge_error("receive_callback", &error, injected);
                self.ground.bank.books().outbox.push(note.clone());
            }
            None => self.ground.bank.books().outbox.push(note.clone()),
            Some(Ok(_)) => {
                let mut books = self.ground.bank.books();
                if books.seen.len() < 50 {
                    books.seen.push(note.clone());
                }
            }
        }
    }

    /// Somebody else says that a payout was paid, or wasn't.
    pub(super) async fn forge(&mut self, process: usize) {
        let seen = self.ground.bank.books().seen.clone();
        if seen.is_empty() {
            return;
        }
        let mut note = self.draw.of(&seen);
        let text = String::from_utf8_lossy(&note.body);
        let turned = if text.contains("\"processed\"") {
            ("\"processed\"", "\"declined\"")
        } else {
            ("\"pending\"", "\"processed\"")
        };
        note.body = text.replace(turned.0, turned.1).replacen("se_", "sf_", 1).into_bytes();
        self.tally.note("fault", "forged callback");
        self.receive(process, &note).await;
    }

    pub(super) async fn apply_callbacks(&mut self, process: usize) {
        let size = self.draw.between(1, 20);
        self.lay_trap(5);
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.apply_callbacks(size)).await;
        match done {
            Some(Ok(count)) if count > 0 => self.note(format!("process {process} applies {count} callbacks")),
            Some(Err(error)) => self.judge_error("apply_callbacks", &error, injected),
            _ => {}
        }
    }

    pub(super) async fn sync(&mut self, process: usize) {
        let gateway = self.gateway(process);
        let index = self.draw.below(self.hands[process].syncs.len().max(1));
        self.lay_trap(4);
        if self.hands[process].syncs.is_empty() {
            let (done, injected) = self.done(&[process], gateway.claim_syncs(4)).await;
            match done {
                Some(Ok(mut tasks)) => {
                    tasks.sort_by(|one, other| one.deposit.code.cmp(&other.deposit.code));
                    self.hands[process].syncs.extend(tasks.into_iter().map(|task| (task, None)));
                }
                Some(Err(error)) => self.judge_error("claim_syncs", &error, injected),
                None => {}
            }
            return;
        }
        let (task, asked) = self.hands[process].syncs.swap_remove(index);
        match asked {
            None => {
                let (done, injected) = self.done(&[process], gateway.ask_balance(&task)).await;
                match done {
                    // The answer is written at once, or much later.
                    Some(Ok(asked)) if self.draw.percent(50) => self.hands[process].syncs.push((task, Some(asked))),
                    Some(Ok(asked)) => self.write_balance(process, &task, &asked).await,
                    Some(Err(error)) => self.judge_error("ask_balance", &error, injected),
                    None => {}
                }
            }
            Some(asked) => self.write_balance(process, &task, &asked).await,
        }
    }

    async fn write_balance(&mut self, process: usize, task: &SyncTask, asked: &Asked) {
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.write_balance(task, asked)).await;
        self.note(format!("process {process} syncs {} with {:?}: {done:?}", task.deposit.code, asked.answer));
        self.tally.note("run", "balances written");
        if let Some(Err(error)) = done {
            self.judge_error("write_balance", &error, injected);
        }
    }

    pub(super) async fn keep_house(&mut self, process: usize) {
        self.lay_trap(10);
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.keep_house()).await;
        self.note(format!("process {process} keeps house"));
        if let Some(Err(error)) = done {
            self.judge_error("keep_house", &error, injected);
        }
    }
}
