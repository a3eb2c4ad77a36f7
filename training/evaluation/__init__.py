"""What `training.evaluate` judges with: sets of its own, translators, measures, and the page.

sermon.en-es.jsonl     fifty sentences of modern preaching, invented here: ten sermons of five
edge_cases.jsonl       what no translator may stumble over, each with what must hold
term_categories.tsv    the glossary's terms by what they are about
"""
