(function () {
  // The values of all strips under the pointer. Without it the page lacks nothing but this.
  var timeline = document.querySelector(".tl");
  if (!timeline) return;
  var rows = Array.prototype.map.call(timeline.querySelectorAll(".row"), function (row) {
    var plot = row.querySelector(".plot"), data = plot.dataset;
    return {
      cell: row.querySelector(".plotted"), cursor: row.querySelector(".cursor"), now: row.querySelector(".now"),
      values: data.v.split(","), step: +data.step, at: data.at ? data.at.split(",").map(Number) : null, unit: data.unit
    };
  });
  var end = +timeline.querySelector(".plot").dataset.end;
  function time(ms) {
    if (ms < 60000) return (ms / 1000).toFixed(end < 60000 ? 1 : 0) + " s";
    return Math.floor(ms / 60000) + " min " + Math.floor(ms / 1000 % 60) + " s";
  }
  function valueAt(row, ms) {
    var i = -1;
    if (!row.at) i = Math.floor(ms / row.step);
    else while (i + 1 < row.at.length && row.at[i + 1] <= ms) i++;
    var value = row.values[i];
    return value ? Number(value).toLocaleString("en") + row.unit : "nothing";
  }
  timeline.addEventListener("pointermove", function (event) {
    var box = rows[0].cell.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    var on = share >= 0 && share <= 1;
    timeline.classList.toggle("live", on);
    if (on) rows.forEach(function (row) {
      row.cursor.style.left = share * 100 + "%";
      row.now.textContent = valueAt(row, share * end) + " at " + time(share * end);
    });
  });
  timeline.addEventListener("pointerleave", function () { timeline.classList.remove("live"); });
})();
