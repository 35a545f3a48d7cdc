/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console of the dead letters: a page on top of /api/v1/ and of nothing
 * else.
 *
 * What stands in a letter is anybody's: it becomes text (textContent), never
 * markup, and characters that could turn or hide text are spelt out. The token
 * lives in this page's memory and goes with it.
 */
"use strict";

const PAGE = 100;
const CHANGED_AT_ONCE = 50;
const POLL_MS = 1000;
const HEX_SHOWN = 16384;
const ANSWER_MS = 20000; /* of a question; longer than the relay takes for one */
const KEYS_MS = 5000;
const LETTERS_MS = 60000;
const GOOD_MS = 10000; /* what went well is said for so long */
const SLOW_MS = 700; /* of a button; then it says that it is at work */
const CONTEXT = 3; /* lines around a change */
const PACE_MS = 10000; /* over which a run's pace is measured */
const LINES_COMPARED = 1000000; /* of the old ones times of the new ones */
const NAMED_AT_ONCE = 20; /* letters in one expression */
const KEYS_SHOWN = 10;
const KEYS_MAX = 200;
const byId = (id) => document.getElementById(id);

const now = {
	token: "",
	status: {read_only: true, may_change: false, two_person: "off", actor: ""},
	where: "", /* what is listed fits this; in the fields something else may stand */
	state: "",
	letters: [],
	fitting: 0,
	next: null,
	chosen: new Set(),
	cursor: 0,
	keys: [],
	keysFitting: 0,
	keysAll: false, /* shown, not only the first of them */
	keysRead: "", /* the time of day when they were */
	failed: false, /* what was asked for last: nobody answered it */
	readNext: 0, /* the letters, when nobody is at work on them */
};

/* ---- text and elements ---- */

/* Controls, and what changes the direction of text, as \u{...}. */
function clean(text) {
	return String(text).replace(
		/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
		(c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}

function make(tag, properties, ...children) {
	const e = document.createElement(tag);
	for (const [name, value] of Object.entries(properties || {}))
		if (name in e)
			e[name] = value;
		else
			e.setAttribute(name, value);
	for (const child of children)
		e.append(typeof child === "object" ? child : clean(child));
	return e;
}

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

function count(n, what, many) {
	return `${n} ${n === 1 ? what : many || what + "s"}`;
}

function age(at) {
	const s = Math.max(0, Math.floor((Date.now() - Date.parse(at)) / 1000));
	if (s < 120)
		return `${s}s`;
	if (s < 7200)
		return `${Math.floor(s / 60)}m`;
	return s < 172800 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
}

/* A cell whose text goes with the time. */
function ageCell(at) {
	return make("td", {className: "number", title: at || "", "data-at": at || ""},
		at ? age(at) : "");
}

function growOlder() {
	for (const cell of document.querySelectorAll("[data-at]"))
		if (cell.getAttribute("data-at") !== "")
			write(cell, age(cell.getAttribute("data-at")));
}

/* Seconds, as one says them. */
function during(s) {
	if (s < 90)
		return `${Math.max(1, Math.ceil(s))} s`;
	return s < 5400 ? `${Math.ceil(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

function clock(at) {
	return new Date(at).toTimeString().slice(0, 8);
}

function target(t) {
	if (t.topic === "")
		return "(no topic known)";
	return t.partition === undefined ? `${t.topic} (by the key)`
		: `${t.topic}[${t.partition}]`;
}

function textOf(o, name) {
	if (o[name + "_hex"] !== undefined)
		return "0x" + o[name + "_hex"];
	return o[name] === null || o[name] === undefined ? "(none)" : o[name];
}

/* A text in an expression. */
function quoted(text) {
	return "'" + String(text).replace(/'/g, "''") + "'";
}

function say(place, text, good) {
	place.textContent = capital(clean(text));
	place.classList.toggle("good", Boolean(good));
	place.hidden = text === "";
}

/* As long as nothing else is said there. */
function sayDone(text) {
	const place = byId("notice");
	say(place, text, true);
	const said = place.textContent;
	setTimeout(() => {
		if (place.textContent === said)
			say(place, "");
	}, GOOD_MS);
}

/* ---- asking ---- */

/* The engine speaks to the command line, too: what that would do, as the page
 * has it. */
const WORDS = [
	[/^body: /, ""],
	[/ \(dlq (approve|list) [^)]*\)/, ""],
	[/[:;] see dlq (plans|list)( \d+| --topic \S+)?$/, ""],
	[/: it cannot become \w+$/, ": that cannot be done with it now"],
	[/, or dlq stop \d+/, ", or stop it"],
	[/ \(dlq plans \d+ --letters --outcome held\)/, " under 'What did not go'"],
	[/dlq cancel (this plan|it)/, "cancel $1"],
	[/; dlq run \d+ passes them$/, "; resumed, it passes them"],
	[/then (dlq )?run (\d+|it) again/, "then resume it"],
	[/: run (plan \d+|it) again(, it goes on where it was)?/, ": resume it, it goes on where it was"],
	[/see dlq show, then --again to send it once more/,
		"plan it, with 'Also replayed letters not yet taken'"],
	[/raise --max-replays \(now (\d+)\)/,
		"plan it, with more than $1 'Replays of a letter at most'"],
	[/say which with --to TOPIC \([^)]*\)/,
		"plan it, with a 'Topic for letters without one'"],
	[/dlq show names/, "its headers name"],
	[/or dlq edit it/, "or edit it"],
	[/or dlq edit or dlq discard the letter/, "or edit or discard the letter"],
	[/, or send it elsewhere with --to TOPIC/,
		", or plan it, with another 'Topic for letters without one'"],
	[/then dlq edit --new-id makes a letter of it under a new id, linked with this one: replay that/,
		"then give it a new id, which only the command line does: dlq edit --new-id"],
	[/ \(dlq plan\)/, ""],
	[/make another plan: dlq plan$/, "make another plan"],
	[/, or run it by dlq run$/, ""],
	[/^the file holds what the letter has.*/, "the value is what it was: change it first"],
];

function plain(text) {
	return WORDS.reduce((said, [found, ours]) => said.replace(found, ours), text);
}

/* [what happened, what to do], where the API's own words are for programs. */
const HAPPENED = {
	no_token: () => now.token === ""
		? ["the relay has to know who asks", "give your token"]
		: ["the relay does not know this token", "see that all of it was copied; " +
			"one that is new in api_token_file counts when the relay has started again"],
	two_people: () => ["nobody replays or discards alone here",
		"make a plan, and let somebody else approve it"],
	too_slow: () => ["PostgreSQL took too long for it",
		"select less: a topic, a class, an age; or ask the command line, which waits longer"],
	no_database: () => ["PostgreSQL does not answer the relay",
		"see that it runs; this page goes on by itself"],
};
const AFTER_A_CHANGE = "whether it was done is not known: look at the past actions " +
	"before you do it again";

class Refusal extends Error {
	constructor(status, error, changes) {
		const [message, next] = HAPPENED[error.code] ? HAPPENED[error.code]()
			: [plain(error.message), ["invalid", "refused", "forbidden", "not_found"]
				.includes(error.code) ? "" : error.next];
		const unsure = changes && (status === 0 || status >= 500);
		super([message, next, unsure ? AFTER_A_CHANGE : ""].filter(Boolean)
			.map((text, i) => i > 0 ? capital(text) : text).join(". "));
		this.status = status;
		this.byte = error.byte;
		this.code = error.code;
		this.changes = changes;
	}
}

function changesBy(method, body) {
	return method !== "GET" && !(body && body.dry_run);
}

async function fetchIt(method, path, body) {
	const headers = {};
	if (now.token !== "")
		headers.Authorization = "Bearer " + now.token;
	if (body !== undefined)
		headers["Content-Type"] = "application/json";
	try {
		/* a change is waited for: it may be done without an answer */
		const answer = await fetch("/api/v1/" + path, {method, headers,
			signal: method === "GET" ? AbortSignal.timeout(ANSWER_MS) : undefined,
			body: body === undefined ? undefined : JSON.stringify(body)});
		return {answer, text: await answer.text()};
	} catch (e) {
		throw new Refusal(0, {message: "the relay does not answer",
			next: "see that it runs; this page goes on by itself"}, changesBy(method, body));
	}
}

/* The document in it, if it is no refusal. */
function read({answer, text}, changes) {
	let doc = null;
	try {
		doc = JSON.parse(text);
	} catch (e) {
		/* said below */
	}
	if (doc && doc.error && doc.error.message)
		throw new Refusal(answer.status, doc.error, changes);
	/* of letters that were refused or failed the results say so */
	if (doc && (answer.ok || doc.results))
		return doc;
	throw new Refusal(answer.status, {message: "something else answers in the " +
		`relay's place (HTTP ${answer.status})`,
	next: "see the proxy between this page and the relay"}, changes);
}

async function ask(method, path, body) {
	return read(await fetchIt(method, path, body), changesBy(method, body));
}

/* A space as %20: + is for forms. */
function queryOf(parameters) {
	return parameters.toString().replace(/\+/g, "%20");
}

function selection() {
	const q = new URLSearchParams();
	if (now.where !== "")
		q.set("where", now.where);
	if (now.state !== "")
		q.set("state", now.state);
	return q;
}

function typedWhere() {
	return byId("where").value.trim();
}

/* What stands in the fields is meant from now on. */
function takeFilter() {
	now.where = typedWhere();
	now.state = byId("state").value;
}

/* Of all that fit: a filter that was typed and not searched is searched first, to
 * be looked at. */
async function asListed(act) {
	if (now.chosen.size > 0 || typedWhere() === now.where) {
		act();
		return;
	}
	if (await search())
		say(byId("notice"), "the filter had not been searched yet: this is what fits it. " +
			"Press again, if it is what you meant.");
}

/* ---- the main page ---- */

/* The relay has no token file, or this token only reads. */
function onlyReads() {
	return now.status.read_only ||
		(now.status.actor !== "" && !now.status.may_change);
}

/* Why this person changes nothing here; "" without a token, which is asked for. */
function whyNot() {
	if (now.status.read_only)
		return "This page only reads: the relay has no api_token_file.";
	return onlyReads() ? `The token of ${now.status.actor} only reads: give another one (t).` : "";
}

/* What changes something begins with who does it. */
function asSomebody(act) {
	if (whyNot() !== "")
		say(byId("notice"), whyNot());
	else if (now.status.actor === "")
		openToken("to change something, say first who you are: give your token",
			() => asSomebody(act));
	else
		act();
}

function showWho() {
	const s = now.status;
	const who = s.actor ? `as ${s.actor}` : "without a token";
	let may = s.read_only ? "read only: the relay has no token file"
		: s.may_change ? "may change"
			: s.actor ? "reading only: this token changes nothing"
				: "reading only: give a token to change";
	if (s.two_person !== "off" && !onlyReads())
		may += "; replays need a second person";
	if (s.running)
		may += `; plan ${s.running} runs`;
	byId("who").textContent = clean(`${s.service} ${s.version}, ${who}, ${may}`);
}

/* The focus stays in a table that has it: in this row, or where it was. */
function replaceRows(t, rows, place) {
	const held = t.tBodies[0].contains(document.activeElement)
		? document.activeElement.closest("tr").sectionRowIndex : -1;
	t.tBodies[0].replaceChildren(...rows);
	if (held >= 0)
		focusRow(t, place === undefined ? held : place);
}

/* ---- blocked keys: read again and again ---- */

const GOING_ON = ["replayed", "resolved", "discarded"];

function keyTexts(k) {
	const state = k.state === "pending" ? "blocked"
		: GOING_ON.includes(k.state) ? `${k.state}, goes on` : k.state;
	return [[age(k.since), "number"], [String(k.waiting), "number"],
		[state, "short"], [k.topic, "topic"], [textOf(k, "key"), "cut mono"],
		[`${k.error_class}: ${k.reason}`, "cut"], [String(k.attempts), "number"],
		[k.letter_id, "id mono"]];
}

/* In the row that there was: it keeps the focus, and a click under way. */
function fillKey(row, k) {
	const texts = keyTexts(k), written = JSON.stringify(texts);
	row.key = k;
	if (row.written === written)
		return;
	row.written = written;
	row.replaceChildren(...cells(...texts.map(([text, kind]) =>
		kind.startsWith("cut") ? [make("span", {}, text), kind] : [text, kind])).cells);
	row.cells[0].title = k.since;
	row.cells[0].setAttribute("data-at", k.since);
}

function keyRow(k) {
	const row = make("tr", {tabIndex: -1});
	const change = (open) => () => asSomebody(() => attempt(async () => {
		const mine = polling, id = await decisiveLetter(row.key);
		if (mine === polling)
			open([id]);
	}));
	fillKey(row, k);
	row.open = () => attempt(async () => openLetter(await decisiveLetter(row.key)));
	row.plan = change(openPlan);
	row.replay = change((ids) => now.status.two_person === "off"
		? openReplay(ids) : openPlan(ids));
	row.discard = change(openDiscard);
	return row;
}

/* That whose decision frees the key: an edited letter stands for its original. */
async function decisiveLetter(k) {
	let id = k.letter_id, state = k.state;
	while (state === "edited") {
		const q = new URLSearchParams({where: `original = ${quoted(id)}`,
			state: "any", limit: "1"});
		const {letters} = await ask("GET", "letters?" + queryOf(q));
		if (letters.length === 0)
			break;
		id = letters[0].letter_id;
		state = letters[0].state;
	}
	return id;
}

function keysText() {
	const rows = now.keys.reduce((n, k) => n + k.waiting, 0);
	if (now.keysFitting === 0)
		return "Nothing is blocked: no key waits behind a letter.";
	return `${count(now.keysFitting, "key")}` +
		(now.keysFitting > now.keys.length
			? `, of which the ${now.keys.length} that wait longest are here` : "") +
		`; ${count(rows, "row")} behind ${now.keys.length === 1 ? "it" : "them"}`;
}

function showKeys() {
	const t = byId("blocked"), body = t.tBodies[0];
	const shown = now.keysAll ? now.keys : now.keys.slice(0, KEYS_SHOWN);
	const old = new Map([...body.rows].map((row) => [row.key.letter_id, row]));
	const rows = shown.map((k) => old.get(k.letter_id) || keyRow(k));
	const held = body.contains(document.activeElement)
		? document.activeElement.closest("tr") : null;
	t.hidden = rows.length === 0;
	rows.forEach((row, i) => fillKey(row, shown[i]));
	if (rows.length !== old.size || rows.some((row, i) => row !== body.rows[i]))
		replaceRows(t, rows, rows.includes(held) ? rows.indexOf(held) : undefined);
	if (rows.length > 0 && !rows.some((row) => row.tabIndex === 0))
		rows[0].tabIndex = 0;
	if (held && rows.length === 0)
		focusRow(byId("letters"), now.cursor);
	const more = now.keys.length - KEYS_SHOWN;
	byId("blocked-hint").hidden = rows.length === 0;
	byId("blocked-all").hidden = more <= 0;
	byId("blocked-all").textContent = now.keysAll ? "Show fewer" : `Show ${more} more`;
	write(byId("blocked-said"), keysText());
}

/* Only what changed: a reader of the screen is told nothing twice. */
function write(place, text) {
	if (place.textContent !== text)
		place.textContent = text;
}

async function loadKeys() {
	const late = byId("blocked-late");
	try {
		const doc = await ask("GET", `keys?limit=${KEYS_MAX}`);
		now.keys = doc.keys;
		now.keysFitting = doc.fitting;
		now.keysRead = new Date().toLocaleTimeString();
		late.hidden = true;
		write(late, "");
		showKeys();
		return true;
	} catch (e) {
		if (!(e instanceof Refusal))
			throw e;
		late.hidden = false;
		write(late, clean(now.keysRead === "" ? `Not known: ${e.message}`
			: `Not read since ${now.keysRead}, and may have changed: ${e.message}`));
		if (now.keysRead === "")
			write(byId("blocked-said"), "");
		return false;
	}
}

/* ---- webhooks that wait for an endpoint which no relay has ---- */

const COUNTED_MAX = 100000; /* the relay counts no further */

function waitingText(e) {
	return e.waiting >= COUNTED_MAX ? `${e.waiting} or more` : String(e.waiting);
}

function endpointRow(e) {
	const row = cells([waitingText(e), "number"], ["", "number"], [e.endpoint, "topic"],
		e.whose === "nobody" ? "no running relay has it"
			: "no running relay has it, and one that may have it does not run");
	row.cells[1].replaceWith(ageCell(e.since));
	row.tabIndex = -1;
	row.open = () => asSomebody(() => openBury(e));
	return row;
}

async function loadEndpoints() {
	const {endpoints} = await ask("GET", "endpoints");
	const rows = endpoints.filter((e) => e.whose !== "relay").map(endpointRow);
	if (rows.length > 0)
		rows[0].tabIndex = 0;
	byId("orphans").hidden = rows.length === 0;
	replaceRows(byId("endpoints"), rows);
}

/* As many requests as it takes: one of them buries 10,000 at most. */
async function buryAll(endpoint, reason) {
	let letters = 0, more = true;
	while (more) {
		const doc = await ask("POST", "endpoints/bury", {endpoint, reason}).catch((e) => {
			if (letters > 0 && e.code === "not_found")
				return {letters: 0, more: false};
			throw e;
		});
		letters += doc.letters;
		more = doc.more;
	}
	return letters;
}

function openBury(e) {
	const title = "Make letters of what waits";
	const list = make("div", {className: "fields"});
	const reason = reasonField(list);
	const go = button("Make letters of them", "primary", async () => {
		insist(reason);
		const said = `${count(await buryAll(e.endpoint, reason.value), "delivery", "deliveries")} ` +
			`of ${e.endpoint} are letters now: replay them when it is back, or discard them`;
		forget(title, [e.endpoint]);
		reread();
		if (!go.isConnected) {
			sayLate(title, said, true);
			return;
		}
		lock(go, "Done.");
		say(byId("dialog-notice"), said, true);
	});
	const dry = button("Dry run", "", async () => {
		const doc = await ask("POST", "endpoints/bury", {endpoint: e.endpoint, dry_run: true});
		if (!dry.isConnected)
			return;
		const many = count(doc.letters, "delivery", "deliveries") + (doc.more ? " or more" : "");
		go.textContent = clean(`Make letters of ${many}`);
		lock(go, "");
		goOn(reason, go);
		say(byId("dialog-notice"), `${many} would become letters; nothing is changed yet`, true);
	});
	openDialog({key: "bury", enter: dryThenDo(dry, go, reason)}, title,
		[fields([["Endpoint", e.endpoint], ["Waiting", waitingText(e)],
			["Oldest", `${e.since} (${age(e.since)} ago)`]]),
		make("p", {}, "No running relay has this endpoint. Put it back into the file of webhooks, " +
			"and its deliveries are made. Or make letters of them: these block no key, and are " +
			"discarded, exported, or replayed when it is back."), list], [dry, go]);
	lock(go, DRY_FIRST);
	remember(title, [e.endpoint], [reason]);
}

/* Nobody is at work on the letters: they may be read again, too. */
function isQuiet() {
	return !byId("dialog").open && now.chosen.size === 0 &&
		now.letters.length <= PAGE &&
		!/^(INPUT|SELECT)$/.test(document.activeElement.tagName);
}

async function lookAtKeys() {
	const before = now.keys.map((k) => k.letter_id).join();
	const answered = await loadKeys();
	if (answered && now.failed && isQuiet()) {
		await refresh(); /* what the notice says is over */
		return;
	}
	const same = before === now.keys.map((k) => k.letter_id).join();
	if (answered && isQuiet() && (!same || Date.now() >= now.readNext))
		await reread();
}

/* Behind whatever is under way: who looks next sees what has become of it. */
async function reread() {
	try {
		await loadParts();
	} catch (e) {
		if (!(e instanceof Refusal))
			throw e; /* the keys have said so, or the next look will */
	}
}

async function watchKeys() {
	try {
		growOlder();
		if (!document.hidden)
			await lookAtKeys();
	} finally {
		setTimeout(watchKeys, KEYS_MS);
	}
}

/* ---- reasons ---- */

const AGES = {"< 1h": "age < 1h", "1h - 1d": "age >= 1h and age < 1d",
	"1d - 7d": "age >= 1d and age < 7d", "> 7d": "age >= 7d"};

/* What a sort of letters has in common, as an expression; a fingerprint is of
 * a class. What is there matches any pattern: what does not, is not there. */
function filterOf(sort, names) {
	const telling = names.includes("fingerprint") ? ["fingerprint"] : names;
	return telling.map((n) => n === "age" ? AGES[sort.age]
		: sort[n] === null ? `${n} !~ ''` : `${n} = ${quoted(sort[n])}`)
		.join(" and ");
}

function sortRow(sort, names) {
	const row = make("tr", {tabIndex: -1},
		make("td", {className: "number"}, String(sort.letters)),
		ageCell(sort.oldest),
		...names.map((n) => make("td", {className: n === "class" ? "short" : ""},
			sort[n] === null ? "(none)" : sort[n])));
	return row;
}

async function loadReasons() {
	const by = byId("by").value;
	const q = new URLSearchParams({by, limit: "20"});
	if (now.state !== "")
		q.set("state", now.state);
	const {groups} = await ask("GET", "groups?" + queryOf(q));
	const names = by.split(",");
	/* what the fingerprint is of says more than it */
	const shown = names.map((n) => n === "fingerprint" ? "message" : n);
	const head = make("tr", {}, make("th", {className: "number"}, "Letters"),
		make("th", {className: "number"}, "Oldest"), ...shown.map((n) =>
			make("th", {}, capital(n))));
	byId("reasons").tHead.replaceChildren(head);
	replaceRows(byId("reasons"), groups.map((g, i) => {
		const row = sortRow(g, shown);
		row.tabIndex = i === 0 ? 0 : -1; /* Tab comes to the table once */
		row.open = () => {
			byId("where").value = filterOf(g, names);
			search();
		};
		return row;
	}));
	const all = groups.reduce((n, g) => n + g.letters, 0);
	byId("reasons").hidden = all === 0;
	say(byId("reasons-none"), all === 0 ? "No letter waits." : "");
}

function letterRow(letter, place) {
	const box = make("input", {type: "checkbox", tabIndex: -1,
		checked: now.chosen.has(letter.letter_id)});
	box.setAttribute("aria-label", "select letter " + letter.letter_id);
	const row = make("tr", {tabIndex: place === now.cursor ? 0 : -1},
		make("td", {}, box),
		ageCell(letter.at),
		make("td", {className: "short"}, letter.state +
			(letter.blocks_key && letter.state === "pending"
				? ", blocks its key" : "")),
		make("td", {className: "short"}, letter.error_class),
		make("td", {className: "topic"}, target(letter)),
		make("td", {className: "cut mono"}, make("span", {}, textOf(letter, "key"))),
		make("td", {className: "cut"}, make("span", {}, letter.reason)));
	row.letter = letter;
	row.open = () => openLetter(letter.letter_id);
	row.choose = () => choose(row, !now.chosen.has(letter.letter_id));
	box.addEventListener("click", (e) => {
		e.stopPropagation();
		choose(row, box.checked);
	});
	row.setAttribute("aria-selected", String(box.checked));
	return row;
}

function choose(row, on) {
	now.chosen[on ? "add" : "delete"](row.letter.letter_id);
	row.querySelector("input").checked = on;
	row.setAttribute("aria-selected", String(on));
	showChosen();
}

function showChosen() {
	const n = now.chosen.size;
	const some = now.letters.length;
	byId("chosen").textContent = n > 0 ? `${count(n, "letter")} selected`
		: `${some} of ${count(now.fitting, "letter")} shown, none selected`;
	const which = n > 0 ? ` ${n} selected` : some > 0 ? ` all ${now.fitting}` : "";
	byId("plan").textContent = `Plan a replay${which && " of" + which}…`;
	byId("discard").textContent = `Discard${which}…`;
	byId("export").textContent = `Export${which}`;
	byId("plan").disabled = onlyReads() || some === 0;
	byId("discard").disabled = onlyReads() || some === 0;
	byId("export").disabled = some === 0;
	write(byId("why-not"), some === 0 ? "" : whyNot());
}

function showLetters() {
	replaceRows(byId("letters"), now.letters.map(letterRow), now.cursor);
	byId("letters").hidden = now.letters.length === 0;
	say(byId("letters-none"), now.letters.length > 0 ? ""
		: selection().toString() === "" ? "No letter is pending."
		: "No letter fits.");
	byId("more").hidden = now.next === null;
	showChosen();
}

async function loadLetters(more) {
	const q = selection();
	q.set("limit", String(PAGE));
	if (more && now.next)
		q.set("cursor", now.next);
	const doc = await ask("GET", "letters?" + queryOf(q));
	const at = now.letters[now.cursor];
	now.fitting = more ? now.letters.length + doc.fitting : doc.fitting;
	now.letters = more ? now.letters.concat(doc.letters) : doc.letters;
	now.next = doc.next || null;
	if (!more) {
		const there = new Set(now.letters.map((l) => l.letter_id));
		now.chosen = new Set([...now.chosen].filter((id) => there.has(id)));
		now.cursor = Math.max(0, now.letters.findIndex((l) =>
			at !== undefined && l.letter_id === at.letter_id));
	}
	showLetters();
}

/* Where the expression went wrong, with a mark below it if that is known. */
function showWrong(e) {
	const place = byId("where-wrong");
	place.hidden = !e;
	if (!e)
		return;
	if (!e.byte) {
		place.textContent = clean(e.message);
		return;
	}
	const bytes = new TextEncoder().encode(byId("where").value.trim());
	const before = new TextDecoder().decode(bytes.slice(0, e.byte - 1));
	place.textContent = clean(byId("where").value.trim()) + "\n" +
		" ".repeat(clean(before).length) + "^ " + clean(e.message);
}

/* Where it is seen: the page behind a dialog is not. */
function noticePlace() {
	return byId(byId("dialog").open ? "dialog-notice" : "notice");
}

async function attempt(what) {
	say(byId("notice"), "");
	try {
		await what();
		now.failed = false;
		return true;
	} catch (e) {
		if (!(e instanceof Refusal))
			throw e;
		now.failed = e.status === 0 || e.status >= 500;
		if (e.status === 401)
			openToken(e.message);
		else
			say(noticePlace(), e.message);
		return false;
	}
}

/* The parts of the page, each by itself: of one that is not answered that is said,
 * and the others show. */
async function loadParts() {
	const said = [], began = Date.now();
	let status = 200; /* counts that are late are not asked for again and again */
	for (const [name, load] of [["the letters", () => loadLetters(false)],
		["how many there are", loadReasons], ["what waits for nobody", loadEndpoints]])
		try {
			await load();
		} catch (e) {
			if (!(e instanceof Refusal) || e.status === 401)
				throw e;
			said.push([name, e.message]);
			if (name === "the letters")
				status = e.status;
		}
	/* what takes long is not asked for all the time */
	now.readNext = Date.now() + Math.max(LETTERS_MS, 20 * (Date.now() - began));
	if (said.length > 0)
		throw new Refusal(status, {message: said.length > 1 &&
			said.every((part) => part[1] === said[0][1]) ? said[0][1] : said.map((part) => part.join(": ")).join(". ")});
}

/* A late answer must not take the focus of whoever has gone on. A row that had
 * it may have been read again meanwhile, and is another element. */
function isStillAt(from) {
	const at = document.activeElement;
	return at === from || (!from.isConnected &&
		(at === document.body || at.tagName === "TR"));
}

async function search() {
	const from = document.activeElement;
	showWrong(null);
	takeFilter();
	try {
		await loadLetters(false);
		say(byId("notice"), "");
		showWrong(null);
		if (isStillAt(from))
			focusRow(byId("letters"), 0);
		return true;
	} catch (e) {
		if (!(e instanceof Refusal))
			throw e;
		if (e.byte || e.status === 400)
			refuseSearch(e);
		else if (e.status === 401)
			openToken(e.message, search);
		else
			say(byId("notice"), e.message);
		return false;
	}
}

/* What is listed fitted another filter: nobody shall plan it by mistake. */
function refuseSearch(e) {
	showWrong(e);
	now.letters = [];
	now.fitting = 0;
	now.next = null;
	now.chosen.clear();
	showLetters();
	say(byId("letters-none"), "The filter was refused: nothing is listed.");
}

function refresh() {
	return attempt(async () => {
		now.status = await ask("GET", "status");
		showWho();
		await loadKeys();
		await loadParts();
	});
}

/* ---- the dialog: one at a time, one stack of views ---- */

let polling = 0; /* the view that polls; another view ends it */
let cameFrom = null;

/* From the first to the one that is seen. Of a view: key; again, which shows it anew
 * (without, it comes back as it was left: a form); enter, what Enter does in its
 * fields; leaves, whether Esc may leave it. */
const trail = [];

function dialogParts() {
	return ["title", "body", "buttons"].map((name) => byId("dialog-" + name));
}

function leaveBehind(view) {
	const at = document.activeElement;
	view.kept = dialogParts().map((part) => [...part.childNodes]);
	if (view.held === undefined || at.tagName === "TR")
		view.held = at;
	view.why = byId("dialog-why").textContent;
}

/* Where the view stands on the trail, whose end it becomes. */
function take(view) {
	const at = trail.findIndex((v) => v.key === view.key);
	if (!byId("dialog").open)
		trail.length = 0;
	else if (at >= 0)
		trail.length = at;
	else if (trail.length > 0)
		leaveBehind(trail.at(-1));
	trail.push(view);
}

function openDialog(view, title, body, buttons) {
	const dialog = byId("dialog");
	polling++;
	take(view);
	if (!dialog.open)
		cameFrom = document.activeElement;
	byId("dialog-title").textContent = clean(title);
	byId("dialog-body").replaceChildren(...body);
	byId("dialog-buttons").replaceChildren(...buttons,
		button(trail.length > 1 ? "Back (Esc)" : "Close (Esc)", "", goBack));
	say(byId("dialog-notice"), "");
	why("");
	if (!dialog.open)
		dialog.showModal();
	dialog.scrollTop = 0;
	const first = byId("dialog-body").querySelector("input, textarea, tr[tabindex]") ||
		byId("dialog-title");
	first.focus();
}

/* A form that has done its work is not come back to. */
function leaveForm() {
	trail.pop();
}

/* What is greyed, and until when. */
function why(text) {
	say(byId("dialog-why"), text);
}

/* To what is held, or to what says the same. */
function refocus(held) {
	const row = held && held.closest("tr[tabindex]");
	const same = held && held.tagName === "BUTTON" &&
		[...byId("dialog-buttons").children].find((b) => b.textContent === held.textContent);
	if (held && held.isConnected)
		held.focus();
	else if (same)
		same.focus();
	else if (row && row.closest("table") && byId(row.closest("table").id))
		focusRow(byId(row.closest("table").id), row.sectionRowIndex);
}

async function showAgain(view) {
	const {held} = view;
	if (!view.again) {
		dialogParts().forEach((part, i) => part.replaceChildren(...view.kept[i]));
		say(byId("dialog-notice"), "");
		why(view.why);
	} else if (!await view.again()) {
		return;
	}
	refocus(held);
	delete view.held;
}

/* Each Esc is one step. */
async function goBack() {
	const view = trail.at(-1);
	if (view && view.leaves && !view.leaves())
		return;
	polling++;
	trail.pop();
	if (trail.length === 0)
		closeDialog();
	else
		await showAgain(trail.at(-1));
}

/* At once, not by the event that comes later: keys typed by then must find the
 * focus where it will stay. */
function closeDialog() {
	polling++;
	trail.length = 0;
	byId("dialog").close();
	byId("dialog-body").replaceChildren();
	byId("dialog-buttons").replaceChildren();
	const at = scrollY;
	if (cameFrom && cameFrom.isConnected && cameFrom !== document.body) {
		cameFrom.focus();
	} else {
		focusRow(byId("letters"), now.cursor);
		scrollTo(0, at); /* who had looked elsewhere looks on there */
	}
	refresh();
}

byId("dialog").addEventListener("cancel", (e) => {
	e.preventDefault();
	goBack();
});

/* What a button did whose dialog was left before the answer came: it must not
 * write into the one that is seen now. A change is told; a dry run is not. */
function sayLate(title, text, good) {
	if (text !== "")
		say(noticePlace(), `${title}: ${text}`, good);
}

/* A button of the dialog; what it does may be refused. */
function button(text, kind, act) {
	const b = make("button", {className: kind}, text);
	b.addEventListener("click", async () => {
		const view = trail.at(-1), title = byId("dialog-title").textContent;
		if (view)
			view.held = b; /* disabled it loses the focus */
		b.disabled = true;
		say(byId("dialog-notice"), "");
		const slow = setTimeout(() => b.isConnected &&
			say(byId("dialog-notice"), "Under way: the relay has not answered yet.", true),
		SLOW_MS);
		try {
			await act(b);
		} catch (e) {
			if (!(e instanceof Refusal))
				throw e;
			if (!b.isConnected)
				sayLate(title, e.changes ? e.message : "", false);
			else if (e.status === 401 && view.key !== "token")
				openToken(e.message);
			else
				say(noticePlace(), e.message);
		} finally {
			clearTimeout(slow);
			if (b.isConnected && byId("dialog-notice").textContent.startsWith("Under way"))
				say(byId("dialog-notice"), "");
		}
		b.disabled = b.kept === true;
		if (b.isConnected && byId("dialog").open &&
			!document.activeElement.closest("#dialog-body, #dialog-buttons"))
			(b.disabled ? byId("dialog-buttons").lastElementChild : b).focus();
	});
	return b;
}

/* Greyed with the reason for it; "": it may be pressed. */
function lock(b, reason) {
	b.kept = b.disabled = reason !== "";
	b.setAttribute("aria-describedby", "dialog-why");
	why(reason);
}

/* What was tried, to be seen before it is done: a telephone shows little. */
function showTried(shown, parts) {
	shown.replaceChildren(...parts);
	shown.scrollIntoView({block: "start"});
}

/* What was typed into a form, of the same letters: one Esc too many, and it is
 * there again when the form is. */
const drafts = new Map();

function remember(title, meant, inputs) {
	const key = JSON.stringify([title, meant]), draft = drafts.get(key) || [];
	inputs.forEach((input, i) => {
		const part = input.type === "checkbox" ? "checked" : "value";
		if (draft[i] !== undefined)
			input[part] = draft[i];
		input.addEventListener("input", () => {
			draft[i] = input[part];
			drafts.set(key, draft);
		});
	});
}

function forget(title, meant) {
	drafts.delete(JSON.stringify([title, meant]));
}

const DRY_FIRST = "First the dry run: it counts, and changes nothing.";

/* Of a form: Enter in a field tries; what was tried is done by its own button. */
function dryThenDo(dry, go, reason) {
	return () => {
		if (go.disabled)
			dry.click();
		else if (isSaid(reason))
			go.focus();
	};
}

function isSaid(reason) {
	if (reason.value.trim() !== "")
		return true;
	reason.focus();
	say(byId("dialog-notice"), "say why first, in Reason: it is kept");
	return false;
}

/* Of what changes something. */
function insist(reason) {
	if (!isSaid(reason))
		throw new Refusal(0, {message: "say why first, in Reason: it is kept"});
}

/* After a dry run: to what is missing, or to the button that does it. */
function goOn(reason, go) {
	if (reason.value.trim() === "")
		reason.focus();
	else
		go.focus({preventScroll: true}); /* it is seen anyway, unlike what was tried */
}

function field(list, label, input) {
	const id = "field-" + list.childElementCount;
	input.id = id;
	const l = make("label", {}, label);
	l.htmlFor = id;
	list.append(l, input);
	return input;
}

function fields(pairs) {
	const list = make("dl", {className: "fields"});
	for (const [name, value] of pairs)
		list.append(make("dt", {}, name), make("dd", {}, value));
	return list;
}

function reasonField(list) {
	return field(list, "Reason", make("input", {type: "text", maxLength: 1000,
		autocomplete: "off", placeholder: "why; it is kept in audit_events"}));
}

/* then: what the token is asked for. */
function openToken(said, then) {
	const list = make("div", {className: "fields"});
	const input = field(list, "Token", make("input",
		{type: "password", autocomplete: "off"}));
	const use = button("Use it", "primary", async () => {
		const before = now.token;
		now.token = input.value.trim();
		try {
			now.status = await ask("GET", "status");
		} catch (e) {
			now.token = before;
			throw e;
		}
		showWho();
		if (!use.isConnected)
			return;
		await goBack();
		if (then)
			then();
	});
	openDialog({key: "token", enter: () => use.click()}, "Token", [make("p", {className: "quiet"},
		"Yours is the text after your name in the relay's api_token_file; the name is kept " +
		"with what you do. This page forgets it when it is closed or loaded again."), list],
	[use]);
	if (said)
		say(byId("dialog-notice"), said, Boolean(then));
}

function openHelp() {
	const keys = [["j k ↓ ↑", "next, previous row"],
		["Enter", "open the row; in a form: the dry run, then to the button that does it"],
		["x or Space", "select the row"], ["a", "select all that are shown, or none"],
		["/", "to the filter; Enter searches, Esc leaves it"],
		["p", "plan a replay of what is selected, or of a blocked key's letter"],
		["d", "discard what is selected or all that fit, or a blocked key's letter"],
		["b", "to the blocked keys"], ["Shift R", "replay a blocked key's letter now"],
		["Shift P", "plans"], ["r", "refresh"], ["t", "token"],
		["v", "in a letter: text, pretty, hex"], ["Esc", "one step back; clear the selection"]];
	const list = make("dl", {className: "fields"});
	for (const [key, text] of keys)
		list.append(make("dt", {}, make("kbd", {}, key)), make("dd", {}, text));
	const filters = [["class = 'unreadable' and age > 2h", "older than two hours"],
		["topic ~ '^orders' and value ~ '\"EUX\"'", "~ is a regular expression"],
		["key in ('a', 'b') or header.tenant = 't1'", "names in quotes, '' for a quote"],
		["state = 'discarded'", "without a state: those that are pending"]];
	const examples = make("dl", {className: "fields"});
	for (const [filter, text] of filters)
		examples.append(make("dt", {className: "mono"}, filter), make("dd", {}, text));
	openDialog({key: "help"}, "Help", [make("h3", {}, "Keys"), list,
		make("h3", {}, "The filter"), examples, make("p", {className: "quiet"},
			"Fields: topic class reason fingerprint state kind row letter " +
			"original sqlstate key value partition offset attempts replays bytes age at " +
			"header.<name>; = != ~ !~ < <= > >= in; and or not ( )"),
		make("h3", {}, "Words"), fields(Object.entries(STATES))], []);
}

/* ---- a letter ---- */

const STATES = {
	pending: "nobody has decided it",
	replayed: "sent again; whether it was taken is not known yet",
	resolved: "taken",
	discarded: "will never be sent",
	edited: "another letter stands for it, with the edited value",
	quarantined: "was replayed too often and came back each time",
};

/* Why a letter in this state is not replayed now, edited or discarded. */
const SETTLED = {
	resolved: "It was taken: nothing is left to do.",
	discarded: "It was discarded: nothing is left to do.",
	edited: "It was edited: the letter that stands for it is the one to decide.",
};
const NOT_NOW = {
	replayed: "It was replayed, and may have been taken: an edit beside it could count twice. " +
		"To send it once more, plan a replay with 'Also replayed letters not yet taken'.",
	quarantined: "It came back too often to be replayed now: mend the cause, then plan a replay " +
		"with more 'Replays of a letter at most'.",
};

function bytesOf(letter) {
	if (letter.value_hex !== undefined)
		return Uint8Array.from(letter.value_hex.match(/../g) || [],
			(pair) => parseInt(pair, 16));
	return new TextEncoder().encode(letter.value === null ? "" : letter.value);
}

function hexOf(bytes) {
	const lines = [];
	for (let at = 0; at < bytes.length && at < HEX_SHOWN; at += 16) {
		const part = [...bytes.slice(at, at + 16)];
		lines.push(at.toString(16).padStart(8, "0") + "  " +
			part.map((b) => b.toString(16).padStart(2, "0")).join(" ").padEnd(49) +
			part.map((b) => b >= 32 && b < 127 ? String.fromCharCode(b) : ".").join(""));
	}
	if (bytes.length > HEX_SHOWN)
		lines.push(`… ${bytes.length - HEX_SHOWN} bytes more`);
	return lines.join("\n");
}

/* Indented, with every number as it was written: a reader that makes numbers
 * of them loses digits. null: it is no JSON. */
function prettyOf(text) {
	try {
		JSON.parse(text);
	} catch (e) {
		return null;
	}
	const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || [];
	let out = "", depth = 0;
	const line = () => "\n" + "  ".repeat(depth);
	tokens.forEach((t, i) => {
		const empty = /[{[]/.test(t) && /^[}\]]$/.test(tokens[i + 1] || "");
		const ends = /^[}\]]$/.test(t);
		if (ends && !/^[{[]$/.test(tokens[i - 1] || "")) {
			depth--;
			out += line() + t;
		} else if (/^[{[]$/.test(t) && !empty) {
			depth++;
			out += t + line();
		} else if (t === ",") {
			out += t + line();
		} else {
			out += t === ":" ? ": " : t;
		}
	});
	return out;
}

function valueView(letter) {
	const forms = [];
	if (letter.value_hex === undefined && letter.value !== null) {
		const pretty = letter.value_cut ? null : prettyOf(letter.value);
		if (pretty !== null)
			forms.push(["Pretty", pretty, ""]);
		forms.push(["Text", letter.value, ""]);
	}
	if (letter.value !== null)
		forms.push(["Hex", hexOf(bytesOf(letter)), "hex"]);
	if (forms.length === 0)
		return [make("p", {className: "quiet"}, "The value is null.")];
	const shown = make("pre", {tabIndex: 0, id: "value"});
	const bar = make("div", {className: "bar"});
	let at = 0;
	const show = (i) => {
		at = i;
		shown.textContent = clean(forms[i][1]);
		shown.className = forms[i][2];
		[...bar.children].forEach((b, n) =>
			b.setAttribute("aria-pressed", String(n === i)));
	};
	forms.forEach(([name], i) => {
		const b = make("button", {}, name);
		b.addEventListener("click", () => show(i));
		bar.append(b);
	});
	shown.turn = () => show((at + 1) % forms.length);
	show(0);
	return [bar, shown];
}

/* A telephone has the heads beside the cells. */
function table(id, heads, rows) {
	for (const row of rows)
		heads.forEach((h, i) => row.cells[i] &&
			row.cells[i].setAttribute("data-head", Array.isArray(h) ? h[0] : h));
	return make("table", {id, role: rows.some((row) => row.open) ? "grid" : "table"},
		make("thead", {}, make("tr", {}, ...heads.map((h) => Array.isArray(h)
			? make("th", {className: h[1]}, h[0]) : make("th", {}, h)))),
		make("tbody", {}, ...rows));
}

/* Texts, or [text, class]. */
function cells(...texts) {
	return make("tr", {}, ...texts.map((t) => Array.isArray(t)
		? make("td", {className: t[1]}, t[0]) : make("td", {}, t)));
}

/* Of a letter or a plan. */
function historyOf(thing) {
	return [make("h3", {}, "Past actions"), thing.history.length === 0
		? make("p", {className: "quiet"}, "None.")
		: table("history", ["At", "Who", "What", "Why"],
			thing.history.map((h) => cells([h.at.slice(0, 19) + "Z", "short"],
				h.actor, h.action.replace(/^dlq\./, ""), h.reason)))];
}

function pastOf(letter) {
	const parts = [];
	parts.push(make("h3", {}, `Replayed ${count(letter.sendings.length, "time")}`));
	if (letter.sendings.length > 0)
		parts.push(table("sendings", ["At", "To", "By", "Why", "Plan"],
			letter.sendings.map((s) => cells([s.at.slice(0, 19) + "Z", "short"],
				`${s.topic}[${s.partition}] at ${s.offset}`, s.actor, s.reason,
				s.plan === null ? "by hand" : String(s.plan)))));
	return parts.concat(historyOf(letter));
}

function behind(letter) {
	const k = now.keys.find((key) => key.letter_id === letter.letter_id);
	return k ? `: ${count(k.waiting, "row")} behind it` : "";
}

function letterView(letter) {
	const state = letter.decided_by
		? `${letter.state} by ${letter.decided_by}: ${letter.decided_why}`
		: letter.state;
	const body = [fields([["State", state],
		["Class", letter.error_class], ["Reason", letter.reason],
		["Fingerprint", letter.fingerprint],
		["Topic", target(letter)], ["Key", textOf(letter, "key")],
		["At", `${letter.at} (${age(letter.at)} ago)`],
		["Row", letter.row_id + (letter.offset === undefined ? ""
			: `, offset ${letter.offset}`)],
		["Attempts", `${letter.attempts}; replayed ${count(letter.replay_count, "time")}`],
		["Kind", letter.kind + (letter.blocks_key && !SETTLED[letter.state]
			? ", its key waits for it" + behind(letter) : "")],
		...(letter.original ? [["Edited from", letter.original]] : [])])];
	body.push(make("h3", {}, "Headers"));
	if (letter.headers.length > 0)
		body.push(table("headers", ["Name", "Value"], letter.headers.map((h) =>
			cells(h.name, textOf(h, "value")))));
	else
		body.push(make("p", {className: "quiet"}, "None."));
	body.push(make("h3", {}, `Value, ${count(letter.bytes, "byte")}` +
		(letter.value_cut ? ", the beginning" : "")));
	return body.concat(valueView(letter), pastOf(letter));
}

function letterButtons(letter) {
	const id = letter.letter_id, alone = now.status.two_person === "off";
	if (onlyReads() || SETTLED[letter.state])
		return letter.state === "edited" ? [button("Open the letter that stands for it", "",
			async () => openLetter(await decisiveLetter(letter)))] : [];
	const buttons = [];
	if (alone)
		buttons.push(button("Replay now…", "primary", () => asSomebody(() => openReplay([id]))));
	buttons.push(
		button("Plan a replay…", alone ? "" : "primary", () => asSomebody(() => openPlan([id]))),
		button("Edit…", "", () => asSomebody(() => openEdit(letter))),
		button("Discard…", "danger", () => asSomebody(() => openDiscard([id]))));
	const off = {replayed: /^(Replay|Edit)/, quarantined: /^Replay/}[letter.state];
	for (const b of buttons)
		if (off && off.test(b.textContent))
			b.kept = b.disabled = true;
	return buttons;
}

/* Whether it is shown. A late answer opens nothing over what was gone on to. */
async function openLetter(id) {
	const mine = polling;
	return attempt(async () => {
		const letter = await ask("GET", "letters/" + encodeURIComponent(id));
		if (mine !== polling)
			return;
		openDialog({key: "letter " + id, again: () => openLetter(id)}, "Letter " + id,
			letterView(letter), letterButtons(letter));
		why(whyNot() || SETTLED[letter.state] || NOT_NOW[letter.state] || "");
	});
}

/* ---- discard and edit ---- */

function unlooked(doc) {
	return doc.unlooked ? [make("p", {role: "note"},
		"Whether all topics exist was not checked: " + doc.unlooked)] : [];
}

function resultsView(doc, done) {
	return [table("results", ["Letter", "Outcome", "Why"], doc.results.map((r) =>
		cells([r.letter_id, "short mono"],
			[r.outcome === "done" ? done : r.outcome, "short"], plain(r.detail)))),
	...unlooked(doc)];
}

/* So many as one request may name, until one fails. */
async function changeLetters(path, ids, wish) {
	const all = {results: [], done: 0, refused: 0, failed: false};
	for (let at = 0; at < ids.length && !all.failed; at += CHANGED_AT_ONCE) {
		const doc = await ask("POST", path,
			{ids: ids.slice(at, at + CHANGED_AT_ONCE), ...wish});
		all.results.push(...doc.results);
		all.done += doc.done;
		all.refused += doc.refused + doc.missing;
		all.failed = doc.failed;
		all.unlooked = all.unlooked || doc.unlooked;
	}
	return all;
}

/* Whose keys wait: so that nobody decides the wrong one. */
function waitingView(ids) {
	const blocked = now.keys.filter((k) => ids.includes(k.letter_id));
	if (blocked.length === 0)
		return [];
	return [table("waiting", ["Target", "Key", ["Rows behind it", "number"]],
		blocked.map((k) => cells([k.topic, "topic"], [textOf(k, "key"), "mono"],
			[String(k.waiting), "number"])))];
}

/* Where nobody decides alone it is a plan. */
async function planChange(ids, c, reason, go) {
	const plan = await ask("POST", "plans", {ids, kind: c.plan, reason});
	showMade(plan, c.done, go);
}

/* go: the button that has made it. */
function showMade(plan, done, go) {
	const said = `plan ${plan.plan} is made; nothing is ${done} yet`;
	now.chosen.clear();
	if (!go.isConnected) {
		say(noticePlace(), `${said}: it is under Plans`, true);
		return;
	}
	leaveForm();
	showPlan(plan);
	say(byId("dialog-notice"), said +
		(plan.two_person === "off" ? "" : ": somebody else finds it under Plans, and approves it"),
	true);
}

/* c: what becomes of the letters, in the words of the dialog. */
function openChange(ids, c) {
	const alone = now.status.two_person === "off";
	const list = make("div", {className: "fields"});
	const reason = reasonField(list);
	const shown = make("div", {});
	const go = button(alone ? capital(c.go) : `Plan to ${c.go}`, c.kind, async () => {
		insist(reason);
		if (!alone) {
			await planChange(ids, c, reason.value, go);
			return;
		}
		const doc = await changeLetters(c.path, ids, {reason: reason.value});
		const done = doc.results.filter((r) => r.outcome === "done").map((r) => r.letter_id);
		const well = doc.refused === 0 && !doc.failed;
		const said = `${doc.done} ${c.done}, ${doc.refused} refused` +
			(doc.failed ? "; one failed: see why" : "");
		ids.forEach((id) => now.chosen.delete(id));
		forget(c.title, ids);
		loadKeys().then(reread);
		if (!go.isConnected) {
			sayLate(c.title, said, well);
			return;
		}
		showTried(shown, resultsView(doc, c.done));
		lock(go, done.length === ids.length ? "Done." :
			"Done, as far as it went. Run the dry run again to try what is left.");
		say(byId("dialog-notice"), said, well);
	});
	const dry = button("Dry run", "", async () => {
		const doc = await changeLetters(c.path, ids, {dry_run: true});
		if (!dry.isConnected)
			return;
		showTried(shown, resultsView(doc, `would be ${c.done}`));
		lock(go, doc.done === 0 ? `Nothing of it can be ${c.done}: see why.` : "");
		if (doc.done > 0)
			goOn(reason, go);
		say(byId("dialog-notice"), `${c.would} ${doc.done}, ` +
			`${doc.refused} refused; nothing is changed yet`, doc.refused === 0);
	});
	openDialog({key: "change", enter: dryThenDo(dry, go, reason)}, c.title,
		[make("p", {}, c.effect), ...waitingView(ids), list, shown], [dry, go]);
	lock(go, DRY_FIRST);
	remember(c.title, ids, [reason]);
}

function openDiscard(ids) {
	const letters = count(ids.length, "letter");
	openChange(ids, {title: "Discard", path: "letters/discard", kind: "danger",
		plan: "discard", go: `discard ${letters} for good`, done: "discarded",
		would: "would discard", effect: `${letters} will never be sent. Keys that ` +
		"wait behind flow again. Export before, if you may need what is in there."});
}

function openReplay(ids) {
	const letters = count(ids.length, "letter");
	openChange(ids, {title: "Replay now", path: "letters/replay", kind: "primary",
		plan: "replay", go: `replay ${letters} now`, done: "replayed",
		would: "would replay",
		effect: `${letters} will be sent again, with the same id. Keys that wait ` +
		"behind flow again once it is taken; refused again, they wait on."});
}

/* A text field changes line ends of another kind: such a value is edited in
 * hex. */
function openEdit(letter) {
	const hex = letter.value_hex !== undefined || /\r/.test(letter.value || "");
	if (letter.value_cut) {
		say(byId("dialog-notice"), `the value has ${letter.bytes} bytes, too many ` +
			"for this page: edit it on the command line, by dlq edit");
		return;
	}
	const input = make("textarea", {spellcheck: false, value: hex
		? [...bytesOf(letter)].map((b) => b.toString(16).padStart(2, "0")).join("")
		: letter.value || ""});
	const list = make("div", {className: "fields"});
	field(list, hex ? "Value, in hex" : "Value", input);
	const reason = reasonField(list);
	const wish = (dry) => ({dry_run: dry, ...(dry ? {} : {reason: reason.value}),
		[hex ? "value_hex" : "value"]: hex ? input.value.replace(/\s/g, "") : input.value});
	const shown = make("div", {});
	const path = `letters/${encodeURIComponent(letter.letter_id)}/edit`;
	const written = input.value;
	const go = button("Make the edited letter", "primary", async () => {
		insist(reason);
		const doc = await ask("POST", path, wish(false));
		reread();
		if (!go.isConnected) {
			sayLate("Edit", `letter ${doc.letter_id} is made, and not replayed yet`, true);
			return;
		}
		leaveForm();
		await openLetter(doc.letter_id);
		say(byId("dialog-notice"), "made, and not replayed yet; the original waits as edited", true);
	});
	const dry = button("Dry run", "", async () => {
		const tried = wish(true), d = (await ask("POST", path, tried)).difference;
		if (!dry.isConnected)
			return;
		showTried(shown, differenceView(letter, d.at,
			hex ? bytesOf(tried) : tried.value));
		lock(go, "");
		goOn(reason, go);
	});
	input.addEventListener("input", () => lock(go, DRY_FIRST));
	let warned = false;
	const leaves = () => {
		if (warned || input.value === written || !input.isConnected)
			return true;
		warned = true;
		say(byId("dialog-notice"), "what you changed is not kept: Esc again leaves it");
		return false;
	};
	openDialog({key: "edit", enter: dryThenDo(dry, go, reason), leaves},
		"Edit letter " + letter.letter_id, [make("p", {className: "quiet"},
			"The edited value becomes a letter of its own; this one waits and is decided with it."),
		list, shown], [dry, go]);
	lock(go, DRY_FIRST);
}

/* ---- a difference ---- */

/* [mark, line]: what both have, what is gone, what is new. */
function linesApart(old, fresh) {
	let head = 0, tail = 0;
	const least = () => Math.min(old.length, fresh.length) - head;
	while (least() > 0 && old[head] === fresh[head])
		head++;
	while (least() > tail && old[old.length - 1 - tail] === fresh[fresh.length - 1 - tail])
		tail++;
	const a = old.slice(head, old.length - tail), b = fresh.slice(head, fresh.length - tail);
	return [...old.slice(0, head).map((line) => [" ", line]), ...middleApart(a, b),
		...old.slice(old.length - tail).map((line) => [" ", line])];
}

/* By the longest that they have in common; of very many all is another. */
function middleApart(a, b) {
	const width = b.length + 1;
	if (a.length * width > LINES_COMPARED)
		return [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])];
	const common = new Uint32Array((a.length + 1) * width);
	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1] + 1
				: Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
	const out = [];
	let i = 0, j = 0;
	while (i < a.length || j < b.length)
		if (i < a.length && j < b.length && a[i] === b[j])
			out.push([" ", a[i++], j++]);
		else if (i < a.length && (j === b.length ||
			common[(i + 1) * width + j] >= common[i * width + j + 1]))
			out.push(["-", a[i++]]);
		else
			out.push(["+", b[j++]]);
	return out;
}

/* With a few lines before and after each change. */
function nearChanges(lines) {
	const near = lines.map((_, i) => lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1)
		.some(([mark]) => mark !== " "));
	const out = [];
	lines.forEach((line, i) => {
		if (near[i])
			out.push(line);
		else if (i === 0 || near[i - 1])
			out.push(["…", ""]);
	});
	return out;
}

/* The same form of both: indented if both are JSON and it shows the change. */
function comparable(old, fresh) {
	const both = [prettyOf(old), prettyOf(fresh)];
	return both.includes(null) || both[0] === both[1] ? [old, fresh] : both;
}

/* fresh: text, or bytes. */
function differenceView(letter, at, fresh) {
	const isText = typeof fresh === "string";
	const old = isText ? letter.value || "" : hexOf(bytesOf(letter));
	const [a, b] = isText ? comparable(old, fresh) : [old, hexOf(fresh)];
	const pre = make("pre", {id: "difference", tabIndex: 0}, `at byte ${at}`);
	for (const [mark, line] of nearChanges(linesApart(a.split("\n"), b.split("\n"))))
		pre.append("\n", make("span", {className: {"-": "gone", "+": "new"}[mark] || ""},
			`${mark} ${line}`));
	const parts = [make("h3", {}, a === old ? "What changes"
		: "What changes (indented to be read; sent as it is written)"), pre];
	if (isText && prettyOf(old) !== null && prettyOf(fresh) === null)
		parts.unshift(make("p", {className: "warning", role: "note"},
			"Careful: the value was JSON, and is none now."));
	return parts;
}

/* ---- plans ---- */

function outlook(plan) {
	const parts = [];
	if (plan.targets.length > 0) {
		const discards = plan.kind === "discard";
		parts.push(make("h3", {}, "Still to be " + (discards ? "discarded" : "replayed")));
		const looked = plan.targets.some((t) => t.there);
		parts.push(table("targets", [discards ? "Of" : "To", ...["Letters", "Keys", "Bytes", "Oldest"].map(
			(h) => [h, "number"]), ...(looked ? ["Is it there?"] : [])],
		plan.targets.map((t) => cells(target(t),
			...[t.letters, t.keys, t.bytes, age(t.oldest)].map(
				(n) => [String(n), "number"]), ...(looked ? [plain(t.there) || "not known"] : [])))));
		if (plan.targets.some((t) => t.lacks))
			parts.push(make("p", {className: "warning", role: "note"},
				"Careful: not all of it can be sent as things are: see 'Is it there?'."));
	}
	parts.push(...unlooked(plan));
	if (plan.missing > 0)
		parts.push(make("p", {className: "warning", role: "note"},
			`Careful: ${plan.missing} of the letters named are not in it: they ` +
			"do not exist, or do not fit."));
	if (plan.overtaken > 0)
		parts.push(make("p", {className: "warning", role: "note"},
			`Careful: ${count(plan.overtaken, "older open letter")} of these keys ` +
			"would be overtaken: decide them first, or plan them too."));
	if (plan.sample.length > 0) {
		parts.push(make("h3", {}, "The first of them"));
		parts.push(table("sample", [["Age", "number"], "Class", "Topic", "Key", "Reason"],
			plan.sample.map((l) => cells([age(l.at), "number"],
				[l.error_class, "short"], [target(l), "topic"],
				textOf(l, "key"), l.reason))));
	}
	return parts;
}

/* "3 letters: 2 to a[0], 1 to b (by the key)" */
function effect(plan) {
	if (plan.targets.length === 0 || plan.kind === "discard")
		return count(plan.letters - plan.next_place + 1, "letter");
	const n = plan.targets.reduce((sum, t) => sum + t.letters, 0);
	const to = plan.targets.slice(0, 3).map((t) => `${t.letters} to ${target(t)}`);
	if (plan.targets.length > 3)
		to.push(`… ${plan.targets.length} targets`);
	return `${count(n, "letter")}: ${to.join(", ")}`;
}

/* What is no number reads as "", as if nothing had been written. */
function optional(body, name, input) {
	if (input.validity.badInput)
		throw new Refusal(0, {message:
			`${input.labels[0].textContent}: what stands there is no number`});
	if (input.value !== "")
		body[name] = Number(input.value);
}

/* Which letters are meant when none is selected. */
function meantText() {
	const {where, state} = now;
	const what = where === "" ? "" : " that fit the filter: " + where;
	if (state === "any")
		return `All letters, whatever their state${what}` +
			(where === "" ? "." : "");
	if (state !== "")
		return `All ${state} letters${what}` + (where === "" ? "." : "");
	return where === "" ? "All pending letters." : "All letters" + what;
}

/* The fields of a plan that sends; what stands there goes into its body. */
function sendingFields(list) {
	const number = (label, placeholder, min) => field(list, label,
		make("input", {type: "number", min: min || "1", placeholder}));
	const box = (label) => field(list, label, make("input", {type: "checkbox"}));
	const rate = number("Letters a second", "no limit");
	const bytesRate = number("Bytes a second", "no limit");
	const canary = number("Canary: first letters", "none");
	const returns = number("Of these may come back", "0: the first one stops it", "0");
	const most = number("Replays of a letter at most", "5, then quarantined");
	const to = field(list, "Topic for letters without one", make("input", {type: "text",
		maxLength: "249", placeholder: "and for foreign ones: the topic that they came from"}));
	const again = box("Also replayed letters not yet taken");
	return (body) => {
		optional(body, "per_second", rate);
		optional(body, "bytes_per_second", bytesRate);
		optional(body, "canary", canary);
		optional(body, "canary_returns", returns);
		optional(body, "max_replays", most);
		if (to.value.trim() !== "")
			body.to = to.value.trim();
		if (again.checked)
			body.again = true;
	};
}

/* No ids: all that fit. */
function openPlan(ids, discards) {
	const {where, state} = now;
	const all = ids.length === 0, meant = all ? [where, state] : ids;
	const title = discards ? "Plan to discard" : "Plan a replay";
	const list = make("div", {className: "fields"});
	const reason = reasonField(list);
	const add = discards ? (body) => {
		body.kind = "discard";
	} : sendingFields(list);
	const second = make("input", {type: "checkbox",
		checked: now.status.two_person !== "off",
		disabled: now.status.two_person !== "off"});
	field(list, "Second person approves", second);
	const wish = (dry) => {
		const body = {dry_run: dry, two_person: second.checked};
		if (!dry || reason.value !== "")
			body.reason = reason.value;
		if (all)
			body.where = where === "" ? "attempts >= 0" : where;
		else
			body.ids = ids;
		if (all && state !== "")
			body.state = state;
		add(body);
		return body;
	};
	const shown = make("div", {id: "outlook"});
	const done = discards ? "discarded" : "replayed";
	const go = button("Make this plan", "primary", async () => {
		insist(reason);
		const plan = await ask("POST", "plans", wish(false));
		forget(title, meant);
		showMade(plan, done, go);
	});
	const dry = button("Dry run", "", async () => {
		const plan = await ask("POST", "plans", wish(true));
		if (!dry.isConnected)
			return;
		showTried(shown, outlook(plan));
		go.textContent = clean(`Make this plan: ${discards ? "discard" : "replay"} ${effect(plan)}`);
		lock(go, "");
		goOn(reason, go);
		say(byId("dialog-notice"), `this is a dry run: nothing is stored or ${done}` +
			(plan.per_second > 0
				? `; at this rate it takes ${during(plan.letters / plan.per_second)}` : ""), true);
	});
	/* what was tried is not what stands there now */
	list.addEventListener("input", (e) => {
		if (e.target === reason || go.disabled)
			return;
		go.textContent = "Make this plan";
		shown.replaceChildren();
		say(byId("dialog-notice"), "");
		lock(go, "Changed since the dry run: run it again.");
	});
	openDialog({key: "form", enter: dryThenDo(dry, go, reason)}, title, [make("p", {}, all
		? meantText() : `${count(ids.length, "selected letter")}.`), list, shown], [dry, go]);
	lock(go, DRY_FIRST);
	remember(title, meant, [...list.querySelectorAll("input")].filter((i) => !i.disabled));
}

/* ---- a plan's pace, as this page has seen it ---- */

const pace = {plan: 0, marks: []};

function isRunning(plan) {
	return plan.runs_here || plan.state === "running";
}

function waitsForCanary(plan) {
	return plan.canary > 0 && !plan.canary_passed &&
		(plan.sent >= plan.canary || plan.next_place > plan.letters);
}

function keepPace(plan) {
	if (pace.plan !== plan.plan || plan.next_place < (pace.marks.at(-1) || [0, 0])[1])
		Object.assign(pace, {plan: plan.plan, marks: []});
	pace.marks.push([Date.now(), plan.next_place]);
	while (pace.marks.length > 2 && pace.marks.at(-1)[0] - pace.marks[0][0] > PACE_MS)
		pace.marks.shift();
}

function paceText(plan) {
	if (waitsForCanary(plan))
		return `waits for the word on the first ${count(Math.min(plan.sent, plan.canary), "letter")}`;
	const [[began, from], [at, to]] = [pace.marks[0], pace.marks.at(-1)];
	const left = plan.letters - plan.next_place + 1, s = (at - began) / 1000;
	if (s === 0)
		return "is being measured";
	if (to === from)
		return `no letter in ${during(s)}`;
	const rate = (to - from) / s;
	return `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} letters a second; ` +
		`about ${during(left / rate)} to go, until ${clock(Date.now() + 1000 * left / rate)}`;
}

/* The engine's record of it, in words. */
function selectionText(selection) {
	if (selection.named !== undefined)
		return `${count(selection.named, "letter")}, by name`;
	const state = selection.state || "pending";
	const of = state === "any" ? "letters in any state" : `${state} letters`;
	return selection.where && selection.where !== "attempts >= 0"
		? `${of} that fit: ${selection.where}` : `all ${of}`;
}

function planFields(plan) {
	const done = (plan.kind === "discard" ? `${plan.discarded} discarded, `
		: `${plan.sent} replayed (${plan.returned} came back), `) +
		`${plan.refused} refused, ${plan.quarantined} quarantined, ${plan.held} held`;
	const pairs = [["State", plan.state +
			(plan.state_reason ? `: ${plain(plan.state_reason)}` : "")],
		["What", plan.kind], ["Reason", plan.reason], ["Planned by", plan.planned_by],
		["Approved by", plan.approved_by || "nobody yet"],
		["Letters", `${plan.next_place - 1} of ${plan.letters} decided: ${done}`],
		["Selection", selectionText(plan.selection)]];
	if (isRunning(plan))
		pairs.push(["Now", paceText(plan)]);
	if (plan.last_run && plan.state !== "stopped" && !plan.runs_here &&
		plan.last_run !== plan.state_reason)
		pairs.push(["Its run ended", plain(plan.last_run)]);
	if (plan.two_person !== "off")
		pairs.push(["Second person", plan.two_person === "role"
			? "asked for, with another database role" : "asked for"]);
	if (plan.per_second > 0)
		pairs.push(["Rate", `${count(plan.per_second, "letter")} a second`]);
	if (plan.bytes_per_second > 0)
		pairs.push(["Bytes", `${plan.bytes_per_second} a second`]);
	if (plan.kind !== "discard")
		pairs.push(["Replays of a letter at most", String(plan.max_replays)]);
	if (plan.selection.to)
		pairs.push(["Topic for letters without one", plan.selection.to]);
	if (plan.canary > 0)
		pairs.push(["Canary", `the first ${count(plan.canary, "letter")}` +
			(plan.canary_passed ? ", passed" : "") +
			(plan.canary_returns > 0 ? `; ${plan.canary_returns} may come back` : "")]);
	if (plan.selection.again)
		pairs.push(["Also replayed letters not yet taken", "yes"]);
	const list = fields(pairs);
	list.id = "plan-fields";
	return list;
}

/* What was refused has changed meanwhile: it is shown as it is, with why not. */
async function turnPlan(plan, what, body, b) {
	const path = `plans/${plan.plan}`;
	try {
		const turned = await ask("POST", `${path}/${what}`, body);
		if (b.isConnected)
			showPlan(turned);
		else
			sayLate(`Plan ${plan.plan}`, turned.state, true);
	} catch (e) {
		if (b.isConnected && e instanceof Refusal && e.code === "refused") {
			const fresh = await ask("GET", path);
			if (b.isConnected)
				showPlan(fresh, body.reason);
			say(noticePlace(), e.message);
			return;
		}
		throw e;
	}
}

function planButtons(plan, reason) {
	const turn = (text, kind, what) => Object.assign(button(text, kind, async (b) => {
		insist(reason);
		await turnPlan(plan, what, {reason: reason.value}, b);
	}), {asksWhy: true});
	const discards = plan.kind === "discard";
	const verb = discards ? "discard" : "replay";
	const buttons = [];
	if (plan.state === "planned")
		buttons.push(turn(`Approve ${discards ? "discarding" : "replaying"} ${effect(plan)}`,
			"primary", "approve"));
	if (["approved", "stopped", "interrupted"].includes(plan.state))
		buttons.push(button(plan.state === "approved" ? `${capital(verb)} ${effect(plan)}`
			: `Resume: ${verb} ${effect(plan)}`, "primary", (b) => turnPlan(plan, "run", {}, b)));
	if (plan.state === "running")
		buttons.push(turn("Stop after the letter in hand", "danger", "stop"));
	if (plan.state !== "done" && plan.state !== "cancelled" && plan.state !== "running")
		buttons.push(turn("Cancel for good", "danger", "cancel"));
	return buttons;
}

/* Who planned it is not the second person. */
function isOwn(plan) {
	return plan.state === "planned" && plan.two_person !== "off" &&
		now.status.actor !== "" && plan.planned_by === now.status.actor;
}

/* What was not sent or discarded, and why; read again when it is more. */
const unsent = {plan: 0, letters: 0, view: []};

async function loadUnsent(plan, letters, mine) {
	const {letters: found, next} = await ask("GET",
		`plans/${plan.plan}/letters?outcome=unsent&limit=${PAGE}`);
	if (mine !== polling)
		return;
	const rows = found.map((l) => {
		const row = cells([l.letter_id, "id mono"], [l.outcome, "short"],
			[target(l), "topic"], plain(l.detail), [l.state, "short"]);
		row.tabIndex = -1;
		row.open = () => openLetter(l.letter_id);
		return row;
	});
	if (rows.length > 0)
		rows[0].tabIndex = 0;
	Object.assign(unsent, {plan: plan.plan, letters, view: [make("h3", {},
		next ? `The first ${found.length} of ${letters} that did not go` : "What did not go"),
	table("unsent", ["Letter", "Outcome", "Topic", "Why", "State now"], rows)]});
	byId("not-gone").replaceChildren(...unsent.view);
}

function showUnsent(plan) {
	const letters = plan.refused + plan.quarantined + plan.held;
	if (letters === 0)
		return;
	if (unsent.plan === plan.plan)
		byId("not-gone").replaceChildren(...unsent.view);
	if (unsent.plan === plan.plan && unsent.letters === letters && plan.state === "running")
		return;
	const mine = polling;
	loadUnsent(plan, letters, mine).catch((e) => {
		if (!(e instanceof Refusal))
			throw e;
		if (mine === polling)
			say(byId("dialog-notice"), `what did not go: ${e.message}`);
	});
}

/* Enter with the reason: to the button; a stop is done at once, it can be resumed. */
function reasonEntered(plan, reason) {
	const first = [...byId("dialog-buttons").children].find((b) => b.asksWhy && !b.disabled);
	if (!first || !isSaid(reason))
		return;
	if (plan.state === "running")
		first.click();
	else
		first.focus();
}

/* Shows it, and goes on looking while it runs. */
function showPlan(plan, said) {
	const open = plan.state !== "done" && plan.state !== "cancelled";
	const list = make("div", {className: "fields"});
	const progress = make("progress", {id: "progress", max: plan.letters,
		value: plan.next_place - 1});
	progress.setAttribute("aria-label", "letters decided");
	if (isRunning(plan))
		keepPace(plan);
	const body = [progress, planFields(plan)];
	const reason = reasonField(list);
	reason.value = said || "";
	if (open && !onlyReads())
		body.push(make("h3", {}, {planned: "Approve or cancel it",
			running: "Stop it"}[plan.state] || "To cancel it, say why"), list);
	body.push(make("div", {id: "not-gone"}),
		make("div", {id: "plan-outlook"}, ...outlook(plan)), ...historyOf(plan));
	const buttons = onlyReads() ? [] : planButtons(plan, reason);
	openDialog({key: "plan " + plan.plan, again: () => openPlanNumber(plan.plan),
		enter: () => reasonEntered(plan, reason)},
	`Plan ${plan.plan}: ${plan.state}`, body, buttons);
	/* a second Enter must not be the next step */
	if (open && plan.state !== "planned" && plan.state !== "running")
		byId("dialog-title").focus();
	if (onlyReads() && open)
		why(whyNot());
	else if (isOwn(plan))
		lock(buttons[0], "You planned it: a second person approves it, under Plans.");
	showUnsent(plan);
	if (isRunning(plan))
		poll(plan, polling);
}

function poll(plan, mine) {
	setTimeout(async () => {
		if (mine !== polling)
			return;
		try {
			const fresh = await ask("GET", "plans/" + plan.plan);
			if (mine !== polling)
				return;
			if (fresh.state === plan.state && isRunning(fresh)) {
				keepPace(fresh);
				byId("progress").value = fresh.next_place - 1;
				byId("plan-fields").replaceWith(planFields(fresh));
				byId("plan-outlook").replaceChildren(...outlook(fresh));
				showUnsent(fresh);
				poll(fresh, mine);
			} else {
				refreshPlan(fresh);
				loadKeys().then(reread); /* behind it */
			}
		} catch (e) {
			if (mine !== polling || !(e instanceof Refusal))
				return;
			say(byId("dialog-notice"), e.message);
			poll(plan, mine);
		}
	}, POLL_MS);
}

const ENDED = {
	done: (p) => p.kind === "discard" ? `done: ${p.discarded} discarded`
		: `done: ${p.sent} replayed`,
	stopped: (p) => `stopped: ${plain(p.state_reason)}`,
	interrupted: (p) => plain(p.state_reason),
};

/* The same view again, with the focus where it was. */
function refreshPlan(plan) {
	const buttons = [...byId("dialog-buttons").children];
	const at = buttons.indexOf(document.activeElement);
	const typed = byId("dialog-body").querySelector("input");
	const typing = typed !== null && document.activeElement === typed;
	showPlan(plan, typed ? typed.value : "");
	const fresh = [...byId("dialog-buttons").children];
	if (!typing && fresh.length > 0)
		fresh[Math.min(at < 0 ? fresh.length - 1 : at, fresh.length - 1)].focus();
	if (ENDED[plan.state] && !isRunning(plan))
		say(byId("dialog-notice"), ENDED[plan.state](plan) +
			(plan.refused + plan.quarantined + plan.held > 0 ? "; some did not go, see why" : ""),
		plan.state === "done");
}

async function openPlanNumber(number) {
	const mine = polling;
	return attempt(async () => {
		const plan = await ask("GET", "plans/" + number);
		if (mine === polling)
			showPlan(plan);
	});
}

async function openPlans() {
	const mine = polling;
	return attempt(async () => {
		const {plans} = await ask("GET", "plans");
		if (mine !== polling)
			return;
		const rows = plans.map((p) => {
			const row = cells([String(p.plan), "number"], p.kind, p.state,
				[age(p.planned_at), "number"],
				[`${p.next_place - 1} of ${p.letters}`, "number"],
				p.planned_by, p.reason);
			row.tabIndex = -1;
			row.open = () => openPlanNumber(p.plan);
			return row;
		});
		if (rows.length > 0)
			rows[0].tabIndex = 0;
		openDialog({key: "plans", again: openPlans}, "Plans", [plans.length === 0
			? make("p", {className: "quiet"}, "None was made: select letters, or filter them, " +
				"and plan a replay.")
			: table("plans", [["Plan", "number"], "What", "State", ["Age", "number"],
				["Decided", "number"], "By", "Reason"], rows)], []);
	});
}

/* ---- export ---- */

/* Of what is selected, so many as an expression may name; or all that fit. */
function exported() {
	const ids = [...now.chosen], parts = [];
	for (let at = 0; at < ids.length; at += NAMED_AT_ONCE)
		parts.push(new URLSearchParams({state: "any", where: `letter in (${ids.slice(at,
			at + NAMED_AT_ONCE).map(quoted).join(", ")})`}));
	return parts.length > 0 ? parts : [selection()];
}

async function exportPages(q, took) {
	q.set("limit", "1000");
	for (;;) {
		const {answer, text} = await fetchIt("GET", "export?" + queryOf(q));
		if (!answer.ok)
			read({answer, text}); /* which throws what it says */
		took(text);
		const cursor = answer.headers.get("x-next-cursor");
		if (!cursor)
			return;
		q.set("cursor", cursor);
	}
}

async function exportAll() {
	const parts = [];
	let letters = 0;
	for (const q of exported())
		await exportPages(q, (text) => {
			parts.push(text);
			letters += text.split("\n").length - 1;
			say(byId("notice"), `${count(letters, "letter")} read…`, true);
		});
	const url = URL.createObjectURL(new Blob(parts, {type: "application/x-ndjson"}));
	make("a", {href: url, download: "letters.jsonl"}).click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
	sayDone(`${count(letters, "letter")} exported`);
}

/* ---- keys ---- */

function focusRow(t, place) {
	const rows = t.tBodies[0].rows;
	if (rows.length === 0)
		return;
	const at = Math.max(0, Math.min(place, rows.length - 1));
	for (const row of rows)
		row.tabIndex = -1;
	rows[at].tabIndex = 0;
	if (t.id === "letters")
		now.cursor = at;
	rows[at].focus();
	rows[at].scrollIntoView({block: "nearest"});
}

function move(by) {
	const row = document.activeElement.closest("tr[tabindex]");
	if (row)
		focusRow(row.closest("table"), row.sectionRowIndex + by);
	else
		focusRow(byId("letters"), now.cursor);
}

function chooseAll() {
	const rows = [...byId("letters").tBodies[0].rows];
	const on = rows.some((row) => !now.chosen.has(row.letter.letter_id));
	rows.forEach((row) => choose(row, on));
}

function here(name) {
	const row = document.activeElement.closest("tr[tabindex]");
	if (row && row[name])
		row[name]();
	return Boolean(row && row[name]);
}

/* By its key; one that is greyed says why. */
function pressMain(id) {
	if (byId(id).disabled)
		say(byId("notice"), whyNot() || "No letter is listed: there is nothing to do it with.");
	else
		byId(id).click();
}

const keys = {
	"j": () => move(1), "ArrowDown": () => move(1),
	"k": () => move(-1), "ArrowUp": () => move(-1),
	"Enter": () => here("open"), "x": () => here("choose"), " ": () => here("choose"),
	"a": chooseAll,
	"/": () => byId("where").select(),
	"b": () => now.keys.length > 0 ? focusRow(byId("blocked"), 0)
		: say(byId("notice"), keysText()), "R": () => here("replay"),
	"p": () => here("plan") || pressMain("plan"),
	"d": () => here("discard") || pressMain("discard"),
	"P": openPlans, "r": refresh, "t": () => openToken(""), "?": openHelp,
	"Escape": () => {
		say(byId("notice"), "");
		[...byId("letters").tBodies[0].rows].forEach((row) => choose(row, false));
	},
};

const dialogKeys = {
	"j": () => move(1), "ArrowDown": () => move(1),
	"k": () => move(-1), "ArrowUp": () => move(-1),
	"Enter": () => here("open"),
	"v": () => byId("value") && byId("value").turn(),
};

function onKey(e) {
	const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) &&
		e.target.type !== "checkbox";
	const inDialog = byId("dialog").open;
	if (typing && e.target.id === "where" && e.key === "Enter") {
		e.preventDefault();
		search();
		return;
	}
	if (typing && !inDialog && e.key === "Escape") {
		e.target.blur(); /* a list without rows takes no focus */
		focusRow(byId("letters"), now.cursor);
		return;
	}
	if (inDialog && e.key === "Escape") {
		e.preventDefault();
		if (!e.repeat)
			goBack();
		return;
	}
	if (inDialog && e.key === "Enter" && e.target.tagName === "INPUT") {
		e.preventDefault();
		const {enter} = trail.at(-1);
		if (enter && !e.repeat)
			enter();
		return;
	}
	if (typing || e.ctrlKey || e.altKey || e.metaKey)
		return;
	/* a button is pressed by Enter and space itself */
	if (e.target.tagName === "BUTTON" && (e.key === "Enter" || e.key === " "))
		return;
	if (inDialog && !e.target.closest("tr[tabindex]") && e.key.startsWith("Arrow"))
		return; /* it scrolls */
	const act = (inDialog ? dialogKeys : keys)[e.key];
	if (!act)
		return;
	e.preventDefault();
	act();
}

function onRow(e) {
	const row = e.target.closest("tr[tabindex]");
	if (row && row.open) {
		focusRow(row.closest("table"), row.sectionRowIndex);
		row.open();
	}
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onRow);
byId("search").addEventListener("click", search);
byId("by").addEventListener("change", () => attempt(loadReasons));
byId("state").addEventListener("change", () => {
	takeFilter();
	attempt(loadParts);
});
byId("more").addEventListener("click", () => attempt(() => loadLetters(true)));
byId("refresh").addEventListener("click", refresh);
byId("token").addEventListener("click", () => openToken(""));
byId("help").addEventListener("click", openHelp);
byId("show-plans").addEventListener("click", openPlans);
byId("plan").addEventListener("click", () => asListed(() => asSomebody(() =>
	openPlan([...now.chosen]))));
byId("discard").addEventListener("click", () => asListed(() => asSomebody(() =>
	now.chosen.size > 0 ? openDiscard([...now.chosen]) : openPlan([], true))));
byId("export").addEventListener("click", () => asListed(() => attempt(exportAll)));

byId("blocked-all").addEventListener("click", () => {
	now.keysAll = !now.keysAll;
	showKeys();
});
document.addEventListener("visibilitychange", () => {
	if (!document.hidden)
		lookAtKeys();
});

refresh().then(() => {
	if (document.activeElement !== document.body)
		return;
	focusRow(byId("letters"), 0);
	scrollTo(0, 0); /* who comes wants to see all from its beginning */
});
setTimeout(watchKeys, KEYS_MS);
