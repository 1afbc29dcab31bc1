from __future__ import annotations
class TerminalReport:
    def __init__(self, **k): pass
    @classmethod
    def for_stream(cls, s, run_id=None): return cls()
    def render(self, d, run):
        out=[]
        for f in d.findings:
            out.append(f"{f.severity} {f.rule} {f.confidence} because={f.because_of} [{f.training}] {f.where}\n   {f.message}")
        out.append("not examined: "+str(dict(d.not_examined)))
        out.append(f"steps {run.steps} overhead {run.ending.get('overhead')} trainings {[(t.name,t.steps) for t in run.trainings.values()]}")
        return "\n".join(out)
def announcement(f, steps): return f"babysit: step {steps}: {f.rule}: {f.message}"
