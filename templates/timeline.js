// The timeline: marks lead to their findings, arrow keys lead from mark to mark, filters dim what they leave out.

const picture = document.getElementById("timeline-picture");
const marks = picture === null ? [] : [...picture.querySelectorAll("a.mark")];

function openMark(mark) {
  const positions = data.marks[Number(mark.dataset.mark)];
  const first = findings[positions[0]];
  history.replaceState(null, "", `#finding-${Number(first.finding_id)}`);
  if (positions.length > 1) {
    limitTo(positions);
  }
  openFinding(positions[0], positions.length > 1 ? status : null);
}

// One stop for the tab key, whatever the number of marks.
function focusMark(mark) {
  for (const other of marks) {
    other.setAttribute("tabindex", other === mark ? "0" : "-1");
  }
  mark.focus();
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

marks.forEach((mark, index) => {
  mark.setAttribute("tabindex", index === 0 ? "0" : "-1");
  mark.addEventListener("click", (event) => {
    event.preventDefault();
    openMark(mark);
  });
  mark.addEventListener("keydown", (event) => {
    const target = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : index + (STEPS[event.key] ?? 0);
    if (target !== index && marks[target] !== undefined) {
      event.preventDefault();
      focusMark(marks[target]);
    }
  });
});

filterListener = (matching) => {
  for (const mark of marks) {
    const isDim = !data.marks[Number(mark.dataset.mark)].some((position) => matching.has(position));
    mark.classList.toggle("is-dim", isDim);
  }
};

filters.hidden = false;
drawFindings();
openFromAddress();
