/** Rules of the console, added to the style of the other pages. */
export const CONSOLE_STYLE = `
body{place-items:start center}
main{max-inline-size:52rem}
[hidden]{display:none!important}
h1:focus{outline:none}
.head{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center;justify-content:space-between;margin-block-end:1rem}
.head h1{margin:0}
.head .soft{flex-basis:100%;margin:0}
section{border-block-start:1px solid var(--line);margin-block-start:1.5rem;padding-block-start:.25rem}
section h2{font-size:1.1rem;margin-block:1rem .5rem}
li .head{margin-block-end:.25rem}
li h2{margin:0;font-size:1rem}
li p{margin-block:.2rem}
button,a.button{flex:none;min-block-size:2.6rem;padding:.45rem 1rem}
a.button{display:inline-grid;place-items:center;text-decoration:none}
a.button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button[aria-busy=true]{opacity:.6;cursor:progress}
[aria-busy=true]>h1{color:var(--soft)}
.actions{flex-wrap:wrap}
.row{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end}
.row>.grow{flex:1 1 12rem}
.field{margin-block:1.1rem}
.row>.field{margin-block:0}
.field>label,legend{display:block;font-weight:600;padding:0}
.field>label{margin-block-end:.3rem}
.field .soft{margin-block:-.25rem .4rem}
fieldset>.soft{margin-block:0 .4rem}
fieldset{border:1px solid var(--line);border-radius:.6rem;padding:.75rem 1rem;margin:1.1rem 0;min-inline-size:0}
fieldset fieldset{border:0;padding:0;margin:.75rem 0 0}
legend{padding-inline:.35rem;margin-inline-start:-.35rem}
fieldset fieldset legend{font-size:.925rem;color:var(--soft);padding:0;margin:0}
input,select,textarea{font:inherit;color:inherit;background:var(--card);border:1px solid var(--edge);border-radius:.5rem}
input:not([type=checkbox],[type=radio]),select,textarea{inline-size:100%;min-block-size:2.6rem;padding:.4rem .65rem}
textarea{resize:vertical}
[aria-invalid=true]{border:2px solid var(--bad)}
.choice{display:grid;grid-template-columns:1.6rem 1fr;align-items:start;padding-block:.3rem}
.choice input{inline-size:1.15rem;block-size:1.15rem;margin:.2rem 0 0;accent-color:var(--accent)}
.choice small{display:block;color:var(--soft);font-size:.875rem}
.error,#problem{color:var(--bad);font-weight:600}
.error{margin-block:.3rem 0;font-size:.925rem}
.notices{position:sticky;inset-block-start:0;z-index:1;background:var(--card)}
.notices p{margin:0;font-weight:600}
.notices p:not(:empty){padding-block:.6rem;border-block-end:1px solid var(--line);margin-block-end:1rem}
#notice{color:var(--good)}
.secret{scroll-margin-block:5rem;border:2px solid var(--warn);border-radius:.75rem;padding:.25rem 1rem 1rem;margin-block:1rem}
.secret code{display:block;padding:.6rem;border:1px solid var(--edge);border-radius:.5rem;user-select:all}
dl.facts{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.35rem 1rem;font-size:.95rem}
dl.facts button{min-block-size:1.75rem;padding:.05rem .6rem;font-size:.8125rem}
dl.facts .row{align-items:center}
dl.facts dt,dl.facts dd{margin:0;min-inline-size:0}
dialog{max-inline-size:min(32rem,calc(100vw - 2rem));border:1px solid var(--line);border-radius:1rem;padding:1.5rem;background:var(--card);color:var(--text)}
dialog::backdrop{background:#000a}
dialog h2{margin:0 0 .5rem;font-size:1.2rem}
@media (max-width:26rem){dl.facts{display:block}dl.facts dt{margin-block-start:.6rem}.actions{flex-direction:column}.actions>*{inline-size:100%}}
`
