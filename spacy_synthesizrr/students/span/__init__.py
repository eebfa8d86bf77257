"""A student that answers questions: it reads a question and a context, and marks the span of the context that answers it.

Nothing here imports torch or transformers before a student is trained or loaded.
"""

from spacy_synthesizrr.students.span.predicting import Answered as Answered
from spacy_synthesizrr.students.span.predicting import predict as predict
from spacy_synthesizrr.students.span.rows import SpanRow as SpanRow
