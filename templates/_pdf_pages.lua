-- Reads a JSON list of pages in Markdown and writes a JSON list of the same in Typst: starting once for all pages takes half the time.

local MARKDOWN = 'markdown-auto_identifiers-implicit_figures-citations-tex_math_single_backslash'
local FILTERS = pandoc.path.join({ pandoc.path.directory(PANDOC_SCRIPT_FILE), '_pdf.lua' })

function Reader(input, options)
  local written = pandoc.List()
  for _, markdown in ipairs(pandoc.json.decode(tostring(input), false)) do
    local page = pandoc.read(markdown, MARKDOWN, options)
    for _, filter in ipairs(dofile(FILTERS)) do -- anew, as they remember formulas
      page = page:walk(filter)
    end
    written:insert(pandoc.write(page, 'typst', { columns = options.columns, wrap_text = 'none' }))
  end
  return pandoc.Pandoc({ pandoc.RawBlock('typst', pandoc.json.encode(written)) })
end
