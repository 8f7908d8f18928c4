// A table of many rows: sorted by a click on a column's title, one page of rows at a time. Rows are any values; columns read them.
(function () {
  "use strict";
  if (!window.vizinho) { return; }
  const { element } = window.vizinho;
  const collator = new Intl.Collator("pt", { numeric: true });

  // columns: { name, title, value(row), show(row) → text or element, number: right-aligned, narrow: shown on a phone as well,
  // width }
  window.vizinho.Table = class {
    constructor(table, pager, columns, sorted, size, decorate) {
      Object.assign(this, { table, pager, columns, sorted, size, decorate, rows: [], page: 0 });
    }

    setRows(rows) {
      const { value } = this.columns.find((column) => column.name === this.sorted.name);
      const direction = this.sorted.descending ? -1 : 1;
      const keyed = rows.map((row, place) => [value(row), place, row]);
      const compare = (one, other) => typeof one === "string" ? collator.compare(one, other) : one - other;
      const missing = (key) => key === null || key === "";
      keyed.sort(([one, first], [other, second]) => missing(one) - missing(other)   // what is not known comes last
        || (missing(one) ? 0 : direction * compare(one, other)) || first - second);
      this.rows = keyed.map((entry) => entry[2]);
      this.turnTo(0);
    }

    sortBy(column) {
      this.sorted = { name: column.name, descending: this.sorted.name === column.name ? !this.sorted.descending : Boolean(column.number) };
      this.setRows(this.rows);
      this.table.tHead.querySelector("[aria-sort] button").focus();
    }

    turnTo(page) {
      this.page = Math.max(0, Math.min(page, Math.ceil(this.rows.length / this.size) - 1));
      this.draw();
    }

    draw() {
      const heads = this.columns.map((column) => {
        const button = element("button", { type: "button" }, column.title);
        button.addEventListener("click", () => this.sortBy(column));
        const head = element("th", { scope: "col", class: this.kind(column), style: column.width ? "width:" + column.width : "" }, button);
        if (column.name === this.sorted.name) { head.setAttribute("aria-sort", this.sorted.descending ? "descending" : "ascending"); }
        return head;
      });
      this.table.tHead.replaceChildren(element("tr", {}, ...heads));
      const start = this.page * this.size;
      this.table.tBodies[0].replaceChildren(...this.rows.slice(start, start + this.size).map((row) => {
        const cells = this.columns.map((column, place) =>
          element(place ? "td" : "th", place ? { class: this.kind(column) } : { class: this.kind(column), scope: "row" }, column.show(row)));
        const line = element("tr", {}, ...cells);
        this.decorate(line, row);
        return line;
      }));
      const turn = (label, by) => {
        const button = element("button", { type: "button" }, label);
        button.disabled = by < 0 ? start === 0 : start + this.size >= this.rows.length;
        button.addEventListener("click", () => this.turnTo(this.page + by));
        return button;
      };
      const range = (start + 1) + " to " + Math.min(start + this.size, this.rows.length) + " of " + this.rows.length;
      this.pager.replaceChildren(turn("Previous", -1), element("span", {}, this.rows.length ? range : "none"), turn("Next", 1));
    }

    kind(column) { return (column.number ? "n" : "") + (column.narrow ? "" : " wide-only"); }
  };
})();
